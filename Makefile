.DEFAULT_GOAL := help
SHELL := /bin/bash
ENGINE := python3 deploy/engine
WITH_ENGINE := $(ENGINE) up && eval "$$($(ENGINE) env)" &&
WITH_REGISTRY := $(ENGINE) up --embedded && eval "$$($(ENGINE) env)" &&
CACHE := $(or $(DRYDOCK_CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/drydock)
QUIETLY = python3 -m deploy.trace "$(CACHE)/trace-$@.log"
SCANNER := docker/buildkit-syft-scanner:1.12.0
PORT := $(or $(DRYDOCK_MIRROR_PORT),5000)
LOCAL := --repository '127.0.0.1:$(PORT)/rehearsal/{name}' --registry tcp://127.0.0.1:$(PORT)
# Repositories of its own, so that nothing is taken from the other rehearsal.
HALVES := --repository '127.0.0.1:$(PORT)/rehearsal-staged/{name}' --registry tcp://127.0.0.1:$(PORT)
PLATFORMS ?= linux/amd64 linux/arm64
HEAD = --revision "$$(git rev-parse HEAD)" --created "$$(git log -1 --format=%cI)"
VENV := $(CACHE)/venv-$(shell cat requirements/dev.txt requirements/floor.txt | sha256sum | cut -c1-12)

build-all: ## Build and smoke-check every image on every platform, and print the report
	@$(WITH_ENGINE) $(QUIETLY) dagger call build-all

rehearsal: rehearsal-whole rehearsal-staged ## Release HEAD to the registry on this host, in one call and in halves

rehearsal-whole: ## In one call: build, smoke-check, push, verify, move latest
	@$(WITH_REGISTRY) $(ENGINE) base $(SCANNER) && $(QUIETLY) dagger call $(LOCAL) publish --latest $(HEAD)

rehearsal-staged: ## In halves: each platform staged by itself, as on a machine of its own, then all of them finished
	@$(WITH_REGISTRY) $(ENGINE) base $(SCANNER) && rm -rf "$(CACHE)/staged"; head=($(HEAD)); \
	for platform in $(PLATFORMS); do folder="$(CACHE)/staged/$${platform#*/}"; \
		$(QUIETLY) dagger call $(HALVES) stage --rebuild --platforms "$$platform" "$${head[@]}" export --path "$$folder" \
		&& echo && sed '/^```mermaid/,$$d' "$$folder/summary.md" && test "$$(cat "$$folder/exit-code")" = 0 || exit 1; \
	done; $(QUIETLY) dagger call $(HALVES) finish --staged "$(CACHE)/staged" --latest --overwrite "$${head[@]}"

validate: ## Check configuration, Dockerfiles, build contexts and workflows, without building
	@$(WITH_ENGINE) dagger call validate

hooks: ## Let git validate before every push
	@sh .githooks/install

test: $(VENV)/done ## Run linters and all tests, the real engine included
	@PATH="$(VENV)/bin:$$PATH" bash tests/run

lint: $(VENV)/done ## Run ruff, mypy and hadolint
	@PATH="$(VENV)/bin:$$PATH" bash tests/lint

reference: $(VENV)/done ## Write the configuration's schema and reference anew from the code
	@"$(VENV)/bin/python" docs/write.py

bench: $(VENV)/done ## Measure against buildx bake into docs/benchmarks (empties the engine's cache; about 25 minutes)
	@$(WITH_REGISTRY) "$(VENV)/bin/python" -m bench $(BENCH)

down: ## Stop the engine that build-all and test started
	@$(ENGINE) down

help: ## List the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/make \1	\2/' | expand -t 24

$(VENV)/done: requirements/dev.txt requirements/floor.txt
	@bash tests/setup "$(VENV)"

.PHONY: build-all rehearsal rehearsal-whole rehearsal-staged validate hooks test lint reference bench down help
