.DEFAULT_GOAL := help
SHELL := /bin/bash
ENGINE := python3 deploy/engine/engine.py
WITH_ENGINE := $(ENGINE) up && eval "$$($(ENGINE) env)" &&
CACHE := $(or $(DRYDOCK_CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/drydock)
VENV := $(CACHE)/venv-$(shell sha256sum requirements/dev.txt | cut -c1-12)

build-all: ## Build and smoke-check every image on every platform, and print the report
	@$(WITH_ENGINE) dagger --progress=plain call build-all

test: $(VENV)/done ## Run linters and all tests, the real engine included
	@PATH="$(VENV)/bin:$$PATH" bash tests/run

lint: $(VENV)/done ## Run ruff, mypy and hadolint
	@PATH="$(VENV)/bin:$$PATH" bash tests/lint

down: ## Stop the engine that build-all and test started
	@$(ENGINE) down

help: ## List the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/make \1	\2/' | expand -t 18

$(VENV)/done: requirements/dev.txt
	@bash tests/setup "$(VENV)"

.PHONY: build-all test lint down help
