"""What every test starts from: one thread, no window, the same examples in every run."""

import os

# Before any library loads: two workers share two cores, and figures are drawn to files.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("MPLBACKEND", "Agg")

from hypothesis import settings  # after the environment

# HYPOTHESIS_PROFILE=explore looks for new examples; a run of the checks repeats the last one.
settings.register_profile("check", deadline=None, derandomize=True, database=None)
settings.register_profile("explore", deadline=None, max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "check"))
