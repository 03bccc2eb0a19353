# The commands of the pipeline; `make help` lists them from the comments behind `##`.
#
# MODE=compose|process  how the pipeline runs; by default compose where a Docker engine answers, else process
# PORT_OFFSET=n STATE_DIR=dir  a second, separate pipeline beside the first
# SECURE=1              make up: TLS and credentials everywhere, for the life of that STATE_DIR
# FOLLOW=no             the logs commands print the end of the log and return, for scripts and pipes

.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-print-directory
.SILENT:

PYTHON := .venv/bin/python
PIPELINE := $(PYTHON) -m signal_pipeline
LOCAL := $(PYTHON) -m local
COMPOSE := docker compose
STATE_DIR ?= .local
export STATE_DIR
FOLLOW ?= yes
# Connect has one name for people, and so has the gateway; their containers are named for what runs in them.
CONTAINER = $(patsubst gateway,traefik,$(patsubst connect,debezium,$*))
# Each mode's option for FOLLOW.
COMPOSE_FOLLOW = $(if $(filter no,$(FOLLOW)),,--follow)
LOCAL_FOLLOW = $(if $(filter no,$(FOLLOW)),--no-follow)

# A pipeline that runs as processes stays what it is, even when an engine appears later; a secured one is processes.
ifneq ($(SECURE)$(wildcard $(STATE_DIR)/secure),)
MODE := process
endif
ifndef MODE
MODE := $(shell if [ ! -S "$(STATE_DIR)/run/control.sock" ] && timeout 5 docker info >/dev/null 2>&1 \
	&& docker compose version >/dev/null 2>&1; then echo compose; else echo process; fi)
endif

##@ Pipeline
up: install  ## start everything and wait until it is ready
ifeq ($(MODE),compose)
	$(COMPOSE) up -d --build $(if $(wildcard $(STATE_DIR)/disabled),--scale emit-trigger=0)
	$(LOCAL) health --wait 180
else
	$(LOCAL) up $(if $(SECURE),--secure)
endif

down: python  ## stop everything; data stays
	$(if $(filter compose,$(MODE)),$(COMPOSE) down,$(LOCAL) down)

clean: python  ## stop everything and delete all data; downloads stay
	$(if $(filter compose,$(MODE)),$(COMPOSE) down --volumes --remove-orphans,$(LOCAL) clean)

status: python  ## show each component and the pipeline's figures: rate, lag, what waits
	$(if $(filter compose,$(MODE)),$(COMPOSE) ps --all,$(LOCAL) status)
	[ "$(MODE)" = process ] && [ ! -S "$(STATE_DIR)/run/control.sock" ] || $(PIPELINE) figures

watch: python  ## the figures of status, anew every two seconds until Ctrl-C
	$(PIPELINE) figures --watch

health: python  ## ask every component whether it serves
	$(LOCAL) health

doctor: python  ## look for faults everywhere and say the command that repairs each
	$(PIPELINE) doctor

logs: python  ## follow all logs (FOLLOW=no prints their ends)
	$(if $(filter compose,$(MODE)),$(COMPOSE) logs $(COMPOSE_FOLLOW) --tail 20,$(LOCAL) logs $(LOCAL_FOLLOW))

logs-dlq: logs-replay-dlq  ## follow the log of the dead-letter recovery

logs-%: python  ## follow the log of one service (FOLLOW=no prints its end)
	$(if $(filter compose,$(MODE)),$(COMPOSE) logs $(COMPOSE_FOLLOW) --tail 100 $(CONTAINER),$(LOCAL) logs $* --lines 100 $(LOCAL_FOLLOW))

stop-%: python  ## stop one service and leave it stopped: see what an outage does
	$(if $(filter compose,$(MODE)),$(COMPOSE) stop $(CONTAINER),$(LOCAL) stop $*)

start-%: python  ## start it again
	$(if $(filter compose,$(MODE)),$(COMPOSE) start $(CONTAINER),$(LOCAL) start $*)

emit-off: python  ## stop the steady emission, for later starts too
ifeq ($(MODE),compose)
	mkdir -p $(STATE_DIR) && echo emit-trigger > $(STATE_DIR)/disabled
	$(COMPOSE) stop emit-trigger
else
	$(LOCAL) disable emit-trigger
endif

emit-on: python  ## start the steady emission again
ifeq ($(MODE),compose)
	rm -f $(STATE_DIR)/disabled
	$(COMPOSE) up -d emit-trigger
else
	$(LOCAL) enable emit-trigger
endif

load: python  ## send 1,000 signals of their own source and check what became of them
	$(PIPELINE) load

verify: python  ## audit: every accepted event is stored or dead-lettered
	$(PIPELINE) verify

##@ Looking inside
db-stats: python  ## rows, sizes and index use of the tables
	$(PIPELINE) db-stats

kafka-topics: python  ## partitions, offsets and consumer lag
	$(PIPELINE) kafka-topics

outbox-status: python  ## what waits in the outbox, and the replication slot
	$(PIPELINE) outbox-status

debezium-config: python  ## apply the Debezium connector and show its state
	$(PIPELINE) connector

dlq-status: python  ## depth of the dead-letter and quarantine topics
	$(PIPELINE) dlq-status

dlq-stats: python  ## dead letters by class, code and age
	$(PIPELINE) dlq-stats

dlq-metrics: python  ## the recovery's metrics as they are now
	$(PIPELINE) dlq-metrics

##@ Development
test: install-dev  ## run all tests (T=path or T="-k name" selects; SECURE=1 against a secured pipeline)
	SECURE=$(SECURE) $(PYTHON) -m pytest $(or $(T),-n 2)

bench: install-dev  ## run the benchmark; QUICK=1 takes less than 3 minutes
	$(PYTHON) -m bench $(if $(QUICK),--quick)

chaos: install-dev  ## run the fault matrix (CELL=name selects)
	$(PYTHON) -m pytest tests/chaos $(if $(CELL),-k $(CELL))

fuzz: install-dev  ## send 100,000 mutated requests to every role and audit what came of them (N=n, SEED=n)
	$(PYTHON) -m tests.abuse.fuzz --requests $(or $(N),100000) $(if $(SEED),--seed $(SEED))

mutants: install-dev  ## seed the listed bugs one by one into a copy; a test must catch each (M=name selects)
	$(PYTHON) -m tests.mutants $(M)

lint: install-dev  ## check style, types, layers and shell scripts
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m mypy
	.venv/bin/lint-imports
	git ls-files '*.sh' 'local/kafka/kafka-*' | xargs --no-run-if-empty -n 1 bash -n

audit: install-dev  ## ask for known vulnerabilities of everything locked (Error 3: could not be checked)
	$(LOCAL).supply audit

sbom: install-dev  ## write the bill of materials in CycloneDX JSON (OUT=path, by default build/sbom.json)
	$(LOCAL).supply sbom $(or $(OUT),build/sbom.json)

secrets: install-dev  ## look for secrets in the files and in the history
	$(LOCAL).supply secrets

images: python  ## build the images with Docker (REGISTRY=host/path names them for platforms, PUSH=1 sends them there)
	$(LOCAL).image images --registry '$(REGISTRY)' $(if $(PUSH),--push) --requirements $(or $(REQUIREMENTS),runtime)

pin-images: python  ## write the digest behind each image's tag that has none (needs Docker with buildx)
	$(LOCAL).supply pin-images

lock: install-dev  ## renew the locked requirements
	bash local/lock.sh
	$(LOCAL) generate

help:  ## this list
	@awk 'BEGIN {FS = ":.*##"} /^##@/ {printf "\n%s\n", substr($$0, 5)} \
		/^[a-z][a-z%-]*:.*##/ {sub("%", "<service>", $$1); printf "  %-18s %s\n", $$1, $$2}' Makefile

install:  # what `up` needs: with containers only the Python environment, for the other commands
	@local/install.sh $(if $(filter compose,$(MODE)),--python)

python:
	@local/install.sh --python

install-dev:
	@local/install.sh --dev

.PHONY: up down clean status watch health doctor logs logs-dlq emit-off emit-on load verify db-stats \
	kafka-topics outbox-status debezium-config dlq-status dlq-stats dlq-metrics test bench chaos fuzz mutants lint lock audit sbom secrets images pin-images \
	help install \
	python install-dev
