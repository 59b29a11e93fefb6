// Command scanner is what BuildKit runs to have SBOMs written: it hands each file system to syft, and wraps what comes
// back as an in-toto statement.
//
// Source of the variables: BuildKit, docs/attestations/sbom-protocol.md; of the statement, exporter/attestation.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

type statement struct {
	Type          string          `json:"_type"`
	PredicateType string          `json:"predicateType"`
	Predicate     json.RawMessage `json:"predicate"`
}

func main() {
	if err := scanAll(); err != nil {
		fmt.Fprintln(os.Stderr, "scanner:", err)
		os.Exit(1)
	}
}

func scanAll() error {
	destination, source := os.Getenv("BUILDKIT_SCAN_DESTINATION"), os.Getenv("BUILDKIT_SCAN_SOURCE")
	if destination == "" || source == "" {
		return errors.New("BUILDKIT_SCAN_DESTINATION and BUILDKIT_SCAN_SOURCE are not set: BuildKit sets them")
	}
	sources := []string{source}
	if extras := os.Getenv("BUILDKIT_SCAN_SOURCE_EXTRAS"); extras != "" {
		entries, err := os.ReadDir(extras)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		for _, entry := range entries {
			sources = append(sources, filepath.Join(extras, entry.Name()))
		}
	}
	for _, source := range sources {
		if err := scan(source, destination); err != nil {
			return fmt.Errorf("%s: %w", filepath.Base(source), err)
		}
	}
	return nil
}

func scan(source, destination string) error {
	name := filepath.Base(source)
	// It is looked at as an image is, not as a folder of sources; its links are its own.
	command := exec.Command("/bin/syft", "scan", "dir:"+source, "--base-path", source, "--source-name", name,
		"--override-default-catalogers", "image", "--select-catalogers", "+sbom-cataloger",
		"--output", "spdx-json", "--quiet")
	command.Stderr = os.Stderr
	found, err := command.Output()
	if err != nil {
		return err
	}
	written, err := json.Marshal(statement{
		Type: "https://in-toto.io/Statement/v0.1", PredicateType: "https://spdx.dev/Document", Predicate: found,
	})
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(destination, name+".spdx.json"), written, 0o644)
}
