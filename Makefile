# Needs make and Python 3.11 or later; everything else comes as wheels into .venv.

PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && exit; done; echo python3)
JOBS ?= 2
VENV := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help run status stop events venv test e2e e2e-compose lint bench

help:  ## show this list
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):.*## */  make \1\t/' | expand -t 18
	@echo
	@echo "TASKYARD_PORT (8080) and TASKYARD_DATA (.taskyard) choose where it runs; PYTHON chooses the interpreter."

run:  ## start the whole system on http://127.0.0.1:8080 (Ctrl-C stops it)
	@$(PYTHON) embedded/bootstrap.py run && exec $(VENV)/python -m embedded run

status:  ## say what runs and how much memory it takes
	@$(VENV)/python -m embedded status

stop:  ## stop the running system
	@$(VENV)/python -m embedded stop

events:  ## print what happens as it happens (ARGS="'tracker.#'" chooses types; of TASKYARD_AMQP_URL when that is set)
	@exec $(VENV)/python -m embedded events $(ARGS)

venv:  ## make the virtual environment .venv with everything that tests and checks need
	@$(PYTHON) embedded/bootstrap.py dev

test: venv  ## run all tests (ARGS="-k lease" passes arguments to pytest, JOBS=4 changes the number of processes)
	@exec $(VENV)/python -m pytest -n $(JOBS) $(ARGS)

lint: venv  ## check style and types
	@$(VENV)/ruff check .
	@$(VENV)/ruff format --check .
	@$(VENV)/mypy $(wildcard */src)

e2e: venv  ## run the end-to-end tests, against TASKYARD_URL if that is set (ARGS passes arguments to pytest)
	@exec $(VENV)/python -m pytest e2e-tests $(ARGS)

e2e-compose: venv  ## test the containers of docker-compose.yml, also while they fail (TASKYARD_CHAOS=all takes each one)
	@exec $(VENV)/python e2e-tests/compose/run.py $(ARGS)

bench: venv  ## measure throughput (ARGS passes arguments)
	@exec $(VENV)/python -m bench $(ARGS)
