# setup: make .venv and install; demo: the whole pipeline on built-in parts; test, lint, docs, bench: what their names say.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PYTEST_FLAGS ?=
BUILD_FLAGS ?=

.PHONY: setup demo test lint docs wheel bench bench-scale bench-storage bench-real bench-search bench-annotator bench-learning bench-objects pictures clean

setup: $(STAMP)

# torch first: its wheel is the largest by far, and a failure there should be seen before anything else is fetched.
$(STAMP): pyproject.toml constraints.txt
	@echo "installing into $(VENV): a minute or two"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -qq --disable-pip-version-check -c constraints.txt torch
	@$(BIN)/python -m pip install -qq --disable-pip-version-check -c constraints.txt -e '.[annotate,cluster,docs,dev]'
	@touch $@

demo: setup
	$(BIN)/yaff build configs/demo.toml $(BUILD_FLAGS)

test: setup
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest $(PYTEST_FLAGS)

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

# The documentation as a site, in build/site; a warning is an error.
docs: setup
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build -q

# The wheel, with the hand, the catalogue, the schemas and the configurations inside; in dist.
wheel: setup
	@rm -rf dist
	$(BIN)/python -m pip wheel -q --disable-pip-version-check --no-deps -w dist .
	$(BIN)/python .ci/wheel.py dist/yaff-*.whl

bench: setup
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks $(BENCH_FLAGS)

# On the real meshes and poses of YAFF_DATA; takes half an hour.
bench-real: setup
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks search-real real-scale

# The search on the real meshes of YAFF_DATA, every row of its table; goes on where it was. BENCH_FLAGS='--objects 025_mug'.
bench-search: setup
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.search_library $(BENCH_FLAGS)

# All 613,917 object poses of YCB-Video (YAFF_DATA), against what was asked. A quiet machine, 8 GB of disk, a quarter of an hour.
bench-scale: setup
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.scale $(BENCH_FLAGS)

# Ways to store the annotations of one large scene: size, writing, reading.
bench-storage: setup
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.storage

# The review: a queue of 20,000, clients, a killed server; with BENCH_FLAGS="--library L --models DIR" spoiled thumbs too.
bench-annotator: setup
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.annotator $(BENCH_FLAGS)

# Trainings on the real poses of YAFF_DATA with the library of bench-search, against what is asked. A quiet machine, an hour.
bench-learning: setup
	$(BIN)/python -m benchmarks.learning $(BENCH_FLAGS)

# The objects: stand-ins against the scans of YAFF_DATA, distance fields, pieces, first and later use; Markdown tables.
bench-objects: setup
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.objects $(BENCH_FLAGS)

# The pictures of README and documentation, of the built-in hand and the stand-ins only; after make demo, with chromium.
pictures: setup
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.pictures docs/pictures $(PICTURES_FLAGS)

clean:
	rm -rf out build dist .pytest_cache .ruff_cache
