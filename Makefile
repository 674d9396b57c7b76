# `make` lists what there is. All of it works in .venv, which is made or brought up to date as needed.

# `python -m TOOL`, not .venv/bin/TOOL: those scripts break when the folder is moved.
python = .venv/bin/python
platform = @scripts/install requirements.txt
tools = @scripts/install tests/requirements.txt
ARGS =

.PHONY: help run demo-site test test-all check product messages openapi attack pentest migrate doctor shell bench lock clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

run:  ## serve http://localhost:5000 with a database and data (PORT=8000 moves it)
	$(platform)
	@exec $(python) run.py --prepare

demo-site:  ## serve examples/decoupled on http://127.0.0.1:8001, beside `make run` (PORT=8002 moves it)
	$(platform)
	@exec $(python) -m http.server --bind 127.0.0.1 --directory examples/decoupled $(or $(PORT),8001)

# A developer waits for an answer, CI for all of them: with CI set, nothing is left out.
test:  ## run the quick tests, in about three minutes (ARGS="-k word" chooses among all; CI=true runs all)
	$(tools)
	@$(python) -m pytest --numprocesses auto --dist worksteal $(if $(ARGS)$(CI),$(ARGS),--quick)

test-all:  ## run all tests on all cores (ARGS="--durations=20" names the longest)
	$(tools)
	@$(python) -m pytest --numprocesses auto --dist worksteal $(ARGS)

check:  ## check style, types, boundaries and language
	$(tools)
	@$(python) -m ruff check .
	@$(python) -m ruff format --check .
	@$(python) -m mypy
	@$(python) -m pytest --quiet tests/test_boundaries.py tests/test_language.py

product:  ## follow the README's start of a product in a copy without the demos, and test that
	$(tools)
	@$(python) scripts/product.py

messages:  ## extract the texts to be translated, update the catalogues and compile them
	$(platform)
	@$(python) -m flask --app run messages update

openapi:  ## write docs/openapi.json, and list what has changed (ARGS=--breaking accepts breaking changes)
	$(platform)
	@$(python) -m flask --app run apidocs write $(ARGS)

attack:  ## let schemathesis look for faults of the API, about an hour (EXAMPLES=50 is less)
	$(tools)
	@SCHEMATHESIS_EXAMPLES=$(or $(EXAMPLES),300) $(python) -m pytest tests/apidocs/test_schemathesis.py $(ARGS)

pentest:  ## let wapiti and sqlmap look for holes, an hour or two (ARGS="--minutes 5" is less)
	$(tools)
	@$(python) scripts/pentest.py $(ARGS)

migrate:  ## bring the database to the newest revision
	$(platform)
	@$(python) -m alembic upgrade head

doctor:  ## look for what is wrong with this deployment (ARGS="--production")
	$(platform)
	@$(python) -m flask --app run doctor $(ARGS)

shell:  ## open a Python shell with the application
	$(platform)
	@exec $(python) -m flask --app run shell

bench:  ## measure Andamio beside others, about seven minutes (ARGS="--only start")
	@scripts/install benchmarks/requirements.txt
	@$(python) -m benchmarks.run $(ARGS)

lock:  ## pin what the *.in files ask for, with hashes (ARGS=--upgrade for the newest)
	@scripts/lock $(ARGS)

clean:  ## remove .venv and what the tools left; the data in instance/ stay
	rm -rf .venv .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
