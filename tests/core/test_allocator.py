"""Memory that is freed in a thread serves the next array there."""

import platform
import subprocess
import sys

import pytest

N_STEPS = 20
SCRIPT = f"""
import resource, sys, threading
import numpy as np
from esmc_core.allocator import keep_freed_memory

if sys.argv[1] == "keep":
    assert keep_freed_memory()

def work():
    for _ in range({N_STEPS}):
        arrays = [np.ones(3 << 17) for _ in range(8)]  # 3 MB each, freed at each step
        del arrays

before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
thread = threading.Thread(target=work)
thread.start()
thread.join()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def page_faults(how):
    command = [sys.executable, "-c", SCRIPT, how]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be told")
def test_a_thread_gets_its_memory_from_the_system_once():
    kept, handed_back = page_faults("keep"), page_faults("hand back")
    pages = (24 << 20) // 4096
    assert kept < 2 * pages
    assert handed_back > N_STEPS / 2 * pages


def test_without_glibc_nothing_is_done(monkeypatch):
    from esmc_core import allocator

    monkeypatch.setattr(allocator.platform, "libc_ver", lambda: ("", ""))
    assert not allocator.keep_freed_memory()
