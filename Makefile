PYTHON ?= python3
PORT ?= 8501
VENV := .venv
BIN := $(VENV)/bin
# Folders that the app may open by their path on this machine; none with ESMC_IMAGE_ROOTS=
export ESMC_IMAGE_ROOTS ?= $(HOME)

.PHONY: app test check format screenshots clean

app: $(VENV)/app.stamp
	$(BIN)/streamlit run app.py --server.port $(PORT)

test: $(VENV)/test.stamp check
	$(BIN)/python -m pytest

check: $(VENV)/test.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/test.stamp
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

screenshots: $(VENV)/test.stamp
	$(BIN)/python -m tests.browser.screenshots

$(VENV)/python.stamp:
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; \
	  sys.exit(0 if (3, 11) <= v <= (3, 13) else "Python 3.11 to 3.13 is needed, this is %d.%d; try make PYTHON=python3.12" % v)'
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/app.stamp: $(VENV)/python.stamp requirements.txt
	$(BIN)/python -m pip install --quiet --requirement requirements.txt
	@touch $@

$(VENV)/test.stamp: $(VENV)/python.stamp requirements.txt requirements-ray.txt tests/requirements.txt
	$(BIN)/python -m pip install --quiet --requirement tests/requirements.txt
	@touch $@

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache
