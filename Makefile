# Everything that dropcap's engineers and CI run. Tests and demo start private engines, so they need root; nothing else does.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := build

VERSION ?= $(shell git describe --tags --match 'v*' 2>/dev/null | sed 's/^v//')
LDFLAGS := -s -w -X dropcap/internal/cli.release=$(VERSION)
TOOL    := go tool -modfile=tools/go.mod

.PHONY: build install package gen test test-full bench bench-learn demo demo-fleet demo-page lint vulncheck provision fuzz clean help

help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## one static binary: bin/dropcap
	CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o bin/dropcap ./cmd/dropcap

install: build ## the binary in /usr/local/bin
	install -m 0755 bin/dropcap /usr/local/bin/dropcap

gen: ## the eBPF objects and tables of system calls again, with Debian 12's clang; a test holds the committed ones to it
	test/hosts/provision clang
	go generate ./internal/bpf ./internal/deny

package: ## .deb, .rpm, what Distributor takes, bills of materials and checksums, for amd64 and arm64, in dist/; signed with SIGNING_KEY=FILE
	packaging/build

provision: ## what tests need: engines, browser, VM host (idempotent, cached outside the repository)
	test/hosts/provision docker29 vm workloads compose docker26 podman4 chromium systemd prometheus clang base docker20

# What takes longest begins first, so that nothing runs alone at the end.
LONGEST := ./test/change ./test/e2e ./test/vm ./test/change/everyday ./test/engines ./test/truth ./test/install ./internal/docker ./internal/recreate

test: ## everything pure, every command, a fixed real subset on each engine
	test/hosts/provision base
	$(MAKE) --no-print-directory -j2 provision lint
	DROPCAP_TEST_STRICT=1 go test -vet=off -ldflags=-w -timeout 22m $(LONGEST) ./...

test-full: lint ## every matrix: engines, users, kernels, servers
	test/hosts/provision
	DROPCAP_TEST_STRICT=1 DROPCAP_TEST_FULL=1 go test -count=1 -timeout 150m ./...

bench: ## speed and memory, side by side with the alternatives
	test/hosts/provision base docker20 docker26 docker29 dockercli bpftrace compose workloads vm
	CGO_ENABLED=0 DROPCAP_TEST_STRICT=1 go build -o bin/bench ./test/bench && bin/bench

bench-learn: ## what learning says against the truth: programs and servers run with what is recommended, and with each member removed
	test/hosts/provision base docker20 workloads
	DROPCAP_TEST_STRICT=1 DROPCAP_TEST_FULL=1 go test -count=1 -timeout 60m -v ./test/truth

demo: ## the main job on a real engine
	test/demo/run

demo-page: ## the pages of dropcap serve; prints a link, or with CI=1 has a browser go through them and keeps pictures
	test/demo/page

demo-fleet: ## a fleet of three nodes on this machine: audit, plan, waves, a node that fails, backout, report
	test/demo/fleet

lint: ## gofmt, vet, staticcheck, the rule of imports, go.mod, known vulnerabilities
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); echo "not gofmt'ed" >&2; exit 1; }
	go vet ./...
	$(TOOL) staticcheck ./...
	$(TOOL) depguard ./...
	go mod tidy -diff
	tools/vulncheck

vulncheck: ## vulnerabilities known today of all that the program calls, Go's own library too
	VULNDB=latest tools/vulncheck --std

fuzz: ## every fuzz target for a minute
	@for pkg in $$(go list ./...); do \
	  for f in $$(go test -list '^Fuzz' $$pkg | grep '^Fuzz' || true); do go test -run '^$$' -fuzz "^$$f\$$" -fuzztime 1m $$pkg; done; done

clean: ## what was built here
	rm -rf bin dist
