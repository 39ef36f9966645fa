# make run and make test need only Go and a network for the modules.
# make help lists the rest.

GO       ?= go
VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
BUILD    := build
# The FIPS module of Go 1.24: later ones reserve 32 MiB of BSS, which small
# routers refuse at exec. "make size" checks it.
export GOFIPS140 := v1.0.0
# The build time is the commit's, so that a build can be repeated. It is the
# earliest time that the daemon believes in.
SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2>/dev/null || echo 0)
LDFLAGS  := -s -w -X main.version=$(VERSION) -X main.builtAt=$(SOURCE_DATE_EPOCH)
GOBUILD  := CGO_ENABLED=0 $(GO) build -trimpath -buildvcs=false -ldflags "$(LDFLAGS)"
# For routers the demonstration is left out, and only what answers packets, the
# estimators and the ciphers are compiled with inlining: 15 % less flash
# (internal/adr).
SMALL    := -tags=router -gcflags=all=-l $(patsubst %,-gcflags=%=,$(file <scripts/package/hot))
# And without what only the stack trace of a crash needs: another tenth. BLANK=:
# leaves it in.
BLANK    := $(GO) run ./cmd/ntslines blank
TOOL     := $(GO) tool -modfile=scripts/tools/go.mod
ARCHES   := arm64 arm mips mipsle amd64
CROSS    := arm64 mips
QEMU_arm64 := qemu-aarch64-static
QEMU_mips  := qemu-mips-static -cpu 24Kc
SIZES    := $(ARCHES:%=$(BUILD)/ntsd-%)
# What runs on one CPU the same as on another needs no second run under
# emulation with sockets and namespaces.
UNIT     := $(shell $(GO) list ./... 2>/dev/null | grep -v -e /interop -e /acceptance -e /archtest -e /vmtest -e /linetab)

.PHONY: help build run test quick check fmt vet lint arch race fuzz-smoke fuzz accuracy sim sim-soak sim-boot soak cross interop peers acceptance test-luci test-vm test-vm-all vm-kernel bench cost bench-server bench-gc size packages repro shell po man deps clean

help: ## what there is to make
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1\t\2/p' Makefile | expand -t 16

build: $(BUILD)/ntsd $(BUILD)/ntsctl ## the daemon and its client, for this machine
$(BUILD)/ntsd: FORCE
	@mkdir -p $(BUILD)
	$(GOBUILD) -o $@ ./cmd/ntsd
$(BUILD)/ntsctl: $(BUILD)/ntsd
	@ln -sf ntsd $@

run: build ## three NTS servers on loopback, one of them wrong, and ntsd watching them
	@$(BUILD)/ntsd demo

test: build cross quick ## all tests; peers, qemu and root are used where they are, and named where they are not

# gotestsum names what was skipped, and why.
quick: ## all tests on this machine's own architecture
	@$(TOOL) gotestsum --format pkgname --format-hide-empty-pkg -- -shuffle=on -count=1 ./...

check: fmt vet lint quick ## the gate before a commit

fmt: ## formatting
	@out=$$($(TOOL) gofumpt -l cmd internal); test -z "$$out" || { echo "gofumpt wants to change:"; echo "$$out"; exit 1; }

vet: ## go vet, also as 32-bit and other targets
	$(GO) vet ./...
	GOOS=linux GOARCH=mips GOMIPS=softfloat $(GO) vet ./...
	GOOS=linux GOARCH=arm $(GO) vet ./...
	GOOS=linux GOARCH=arm64 $(GO) vet ./...

lint: ## staticcheck
	$(TOOL) staticcheck ./...

arch: ## layers, bans and sizes
	$(GO) test -count=1 ./internal/archtest

race: ## unit tests with the race detector
	$(GO) test -race -shuffle=on -count=1 $(UNIT)

fuzz-smoke: ## every fuzz target with FUZZ inputs (20000x)
	@scripts/fuzz.sh $${FUZZ:-20000x}

fuzz: ## every fuzz target for ten minutes
	@scripts/fuzz.sh 10m

accuracy: ## the clock's error beside chrony's and the oracle's, and the goals (SEEDS=10)
	$(GO) run ./cmd/ntssim -accuracy -seeds $${SEEDS:-10}

sim: ## every scenario with 20 seeds
	$(GO) run ./cmd/ntssim -seeds $${SEEDS:-20} testdata/scenarios/*.scn

sim-soak: ## every scenario with 1000 seeds
	$(GO) run ./cmd/ntssim -seeds $${SEEDS:-1000} testdata/scenarios/*.scn

sim-boot: ## routers that boot, 1000 worlds of each scenario (SEEDS=n for another number)
	$(GO) test -count=1 -timeout 60m ./internal/sim/boot -seeds=$${SEEDS:-1000}

soak: fuzz sim-soak sim-boot ## the long versions: some hours

cross: ## unit tests under qemu-user on arm64 and big-endian mips
	@scripts/cross.sh $(CROSS)

interop: build peers ## against Debian's chrony and ntpsec in network namespaces (root)
	$(GO) test -count=1 -v ./internal/interop

peers: ## fetch Debian's chrony and ntpsec into build/peers
	@scripts/peers.sh

acceptance: build ## the guides' numbered checks on the built binary
	@scripts/acceptance.sh

test-luci: build ## LuCI's pages in a headless browser (chromium, node, npm; LUCI_DIR=LuCI's own sources for its own runtime)
	$(GO) build -o $(BUILD)/luci-world ./luci/test/world
	@cd luci/test && { cmp -s package-lock.json node_modules/.from || { npm ci --silent --no-audit --no-fund --ignore-scripts && cp package-lock.json node_modules/.from; }; }
	@npm --prefix luci/test --silent run lint
	cd luci/test && node --test test.mjs

# VMARCH=arm has a kernel of 32 bits; VMARCH=mips needs one of yours, as
# build/vm-mips/vmlinuz.
VMARCH   ?= arm64
test-vm: vm-kernel ## routers in virtual machines: the kernel's clock, and six starts without one (VMARCH=arm64)
	NTSD_VM=ci NTSD_VM_ARCH=$(VMARCH) $(GO) test -count=1 -v -timeout 20m ./internal/vmtest

test-vm-all: vm-kernel ## every start, every power cut, every liar, with a table of figures
	NTSD_VM=all NTSD_VM_ARCH=$(VMARCH) $(GO) test -count=1 -v -timeout 60m ./internal/vmtest

vm-kernel: ## fetch Debian's kernel for VMARCH into build/vm-VMARCH
	@scripts/vm-kernel.sh $(VMARCH)

bench: ## benchmarks with allocations
	$(GO) test -run '^$$' -bench . -benchmem ./...

cost: ## what a sample costs, beside the AES of its packet (SAMPLES=1350)
	@scripts/cost.sh

bench-server: build peers ## what serving costs, beside chronyd and ntpsec (user namespaces; some minutes)
	$(GO) build -o $(BUILD)/ntsload ./cmd/ntsload
	@scripts/bench-server.sh

bench-gc: build peers ## the error of the time that clients get under load, and its plot
	$(GO) build -o $(BUILD)/ntsload ./cmd/ntsload
	@PLOT=$${PLOT:-$(BUILD)/offsets.svg} scripts/bench-server.sh offset

size: $(SIZES) ## stripped binaries per architecture, and their BSS
	@scripts/size.sh $(SIZES)
$(BUILD)/ntsd-%: FORCE
	@mkdir -p $(BUILD)
	GOOS=linux GOARCH=$* GOMIPS=softfloat GOARM=7 $(GOBUILD) $(SMALL) -o $@ ./cmd/ntsd
	@$(BLANK) $@

# The OpenWrt architectures whose CPU our five binaries suit.
ROUTERS := arm64=aarch64_cortex-a53 mips=mips_24kc mipsle=mipsel_24kc arm=arm_cortex-a7_neon-vfpv4 amd64=x86_64
PKG_VERSION ?= $(shell scripts/version.sh)

packages: $(SIZES) ## .ipk per router architecture with a feed, .deb, and .apk where apk-tools is installed
	@SOURCE_DATE_EPOCH=$(SOURCE_DATE_EPOCH) scripts/package.sh $(PKG_VERSION) $(ROUTERS)

repro: ## build twice in two folders and compare
	@scripts/repro.sh

# What runs on the router runs under busybox's ash: dash's rules, but for
# "local" (SC3043), with the variables that rc.common and procd read or set.
ASH := files/router/etc/init.d/ntsd $(wildcard files/router/usr/share/ntsd/* files/router/etc/hotplug.d/*/* files/router/etc/uci-defaults/*) scripts/package/*-pkg luci/luci-app-ntsd/root/usr/libexec/rpcd/*
ASH_RULES := -e SC3043,SC1091,SC2034,SC2154,SC2317

shell: ## shellcheck
	shellcheck scripts/*.sh scripts/package/*.sh scripts/package/deb/* openwrt/net/*/test.sh .ci/run
	shellcheck -s dash $(ASH) $(ASH_RULES)

po: ## translations of LuCI's pages: the template and the languages by what the pages say
	$(GO) run ./cmd/ntspo update luci/luci-app-ntsd
	$(GO) run ./cmd/ntspo check luci/luci-app-ntsd

man: ## mandoc's lint
	mandoc -T lint -W warning cmd/ntsd/*.[0-9]

deps: ## modules are what go.sum says
	$(GO) mod verify
	$(GO) mod tidy -diff
	$(GO) -C scripts/goclient mod tidy -diff

clean: ## remove what was built
	rm -rf $(BUILD)

FORCE:
