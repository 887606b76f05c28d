# What the machine must have: python3 (3.11 or newer, with venv), make and git. All else is installed into .venv,
# by name, version and hash.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input
# The version is pinned in requirements/dev.txt; `make lock` alone needs uv itself.
LOCK := uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
        --no-emit-index-url --quiet

.DELETE_ON_ERROR:
.PHONY: help install demo test tests unit lint odbc bench simulate mutants mutation crash proofs lock clean

help:
	@echo "make demo            the demo: a made-up clinic, a sandbox CRM, the bridge between them (Ctrl-C stops it)"
	@echo "make demo TARGET=amocrm   the same with amoCRM; TARGET=both: two CRMs from one clinic"
	@echo "make demo SOURCE=helix    a clinic on 1C:Helix instead, which drops files"
	@echo "make demo ONCE=1     the same, once: import, audit, one line of JSON"
	@echo "                     SPEED=60 clinic minutes a minute, PATIENTS=6000"
	@echo "make test            lint and all tests;  make unit: the fast ones;  make lint"
	@echo "make simulate SEEDS=200   made-up clinics against faults of all kinds;  SEED=17: that one, told"
	@echo "make mutants         planted faults, each of which the seeds must find"
	@echo "make mutation        every line of the decisions and the merging made wrong, one at a time; MODULE=decisions.chains"
	@echo "make crash KILLS=300  the real process killed at numbered points and at random (hooks, queue, tickets, files), in a migration, on a full disk"
	@echo "make soak            a big clinic's day: 3,000 changes and 400 hooks; MINUTES=20 CRM=amocrm"
	@echo "make proofs          the contract suite under every switch"
	@echo "make bench           what reading costs as a clinic's tables grow, and what an import costs amoCRM"
	@echo "make lock            requirements/*.txt anew (needs uv);  make clean: what was made here"

.venv/.made:
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Kreslo needs Python 3.11 or newer; name one: make PYTHON=python3.12")'
	@echo "Making .venv"
	@$(PYTHON) -m venv .venv
	@touch $@

# One set of packages for the demo and the tests: an editable install needs the build backend, which is in dev.txt.
.venv/.installed: .venv/.made requirements/dev.txt pyproject.toml
	@echo "Installing packages into .venv (once)"
	@$(PIP) install --quiet --require-hashes -r requirements/dev.txt
	@$(PIP) install --quiet --no-build-isolation --no-deps --no-index -e .
	@touch $@

install: .venv/.installed

demo: .venv/.installed
	@$(BIN)/kreslo demo $(if $(SOURCE),--source $(SOURCE)) $(if $(TARGET),--crm $(TARGET)) $(if $(filter-out 0,$(ONCE)),--once) $(if $(SPEED),--speed $(SPEED)) $(if $(PATIENTS),--patients $(PATIENTS)) $(ARGS)

test: odbc
	@$(MAKE) --no-print-directory -j 2 lint tests

# A file's tests, and a class's, stay in one process: a demo or a portal that they share is started once. In the order of
# the folders, so that what takes long begins first and small files fill the end.
tests: odbc
	@$(BIN)/python -m pytest -n 2 --dist loadscope --no-loadscope-reorder -m "not exhaustive" $(ARGS)

# What takes long: the contract suite under every switch, large imports through a bad line.
proofs: .venv/.installed
	@$(BIN)/python -m pytest -n 2 -m exhaustive $(ARGS)

# The real process, killed and started again; what it was killed at is printed. Then migrations, and a full disk.
crash: .venv/.installed
	@$(BIN)/python -m tests.crash.run --kills $(or $(KILLS),300) $(if $(SEED),--seed $(SEED))
	@$(BIN)/python -m pytest tests/crash/test_kill_migration.py tests/crash/test_disk_full.py $(ARGS)

soak: .venv/.installed
	@$(BIN)/python -m tests.soak.run $(if $(MINUTES),--minutes $(MINUTES)) $(if $(CHANGES),--changes $(CHANGES)) \
		$(if $(HOOKS),--hooks $(HOOKS)) $(if $(PATIENTS),--patients $(PATIENTS)) $(if $(CRM),--crm $(CRM)) $(ARGS)

unit: .venv/.installed
	@$(BIN)/python -m pytest -m "not slow and not exhaustive" tests/unit $(ARGS)

# Libraries for the tests that go through real ODBC drivers; without them those tests are skipped and say so.
odbc: .venv/.installed
	@.ci/odbc

lint: .venv/.installed
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache

simulate: .venv/.installed
	@$(BIN)/python -m tests.simulation.run $(if $(SEED),--seed $(SEED),--seeds $(or $(SEEDS),200)) $(ARGS)

# Two clinics of 10,000 and 1,000,000 receptions: idle ticks, change passes, the first import; then 30,000 contacts and
# 60,000 deals into amoCRM. Some minutes.
bench: .venv/.installed
	@$(BIN)/python -m tests.bench.bench_ident $(ARGS)
	@$(BIN)/python -m tests.bench.bench_amocrm
	@$(BIN)/python -m tests.bench.bench_bitrix24
	@$(BIN)/python -m tests.bench.bench_helix

mutants: .venv/.installed
	@$(BIN)/python -m tests.simulation.mutants $(if $(SEEDS),--seeds $(SEEDS)) $(ARGS)

# A tenth of a second of processor time a mutant, and five thousand of them; tests/mutation has the reasons of what survives.
mutation: .venv/.installed
	@$(BIN)/python -m tests.mutation.run $(MODULE) $(ARGS)

lock:
	@command -v uv >/dev/null || { echo "make lock needs uv: install it with pip or your system's packages"; exit 1; }
	$(LOCK) --output-file requirements/run.txt
	$(LOCK) --group dev --output-file requirements/dev.txt

clean:
	rm -rf .venv .demo .kreslo .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist
	find src connectors tests -name __pycache__ -type d -prune -exec rm -rf {} +
