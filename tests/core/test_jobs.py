"""Jobs: one at a time, cancelled when asked, failures kept for the page to show."""

import threading
import time

from esmc_core.errors import Cancelled, InputError
from esmc_core.jobs import Job, JobRunner


def wait(job):
    deadline = time.monotonic() + 5
    while job.is_active:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    return job


def test_a_job_reports_progress_and_its_result():
    def work(job):
        for done in range(4):
            job.progress(done, 3)
        return "found"

    job = wait(JobRunner().submit("k", work, title="Counting"))
    assert (job.state, job.result, job.fraction) == ("done", "found", 1.0)
    assert job.remaining_s is None


def test_the_same_key_is_not_run_twice_at_a_time():
    runner, gate = JobRunner(), threading.Event()
    first = runner.submit("k", lambda job: gate.wait(5), title="A")
    assert runner.submit("k", lambda job: None, title="B") is first
    other = runner.submit("other", lambda job: None, title="C")
    assert other.state == "queued"
    assert runner.active() == [first, other]
    gate.set()
    wait(other)
    assert runner.submit("k", lambda job: None, title="D") is not first


def test_cancel_stops_a_running_and_a_queued_job():
    runner, gate = JobRunner(), threading.Event()

    def work(job):
        while not job.should_stop():
            gate.wait(0.005)
        raise Cancelled()

    running = runner.submit("a", work, title="A")
    queued = runner.submit("b", lambda job: 1, title="B")
    queued.cancel()
    running.cancel()
    assert wait(running).state == "cancelled"
    assert wait(queued).state == "cancelled"
    assert queued.result is None


def test_a_failure_is_kept_and_the_lane_goes_on():
    runner = JobRunner()

    def refuse(job):
        raise InputError("No pictures.", "Add some.")

    failed = wait(runner.submit("a", refuse, title="A"))
    assert str(failed.error) == "No pictures. Add some."
    broken = wait(runner.submit("b", lambda job: 1 / 0, title="Dividing"))
    assert "Dividing failed: ZeroDivisionError" in broken.error.message
    assert wait(runner.submit("c", lambda job: 7, title="C")).result == 7


def test_the_estimate_follows_the_pace():
    runner, gate = JobRunner(), threading.Event()

    def work(job):
        job.progress(0, 10)
        time.sleep(0.1)
        job.progress(5, 10)
        gate.wait(5)

    job = runner.submit("k", work, title="A")
    while job.done < 5:
        time.sleep(0.005)
    assert 0.05 < job.remaining_s < 2
    gate.set()
    wait(job)


def test_the_pace_counts_anew_from_each_stage():
    job = Job("k", "A", state="running")
    told = []

    def note():
        told.append((job.stage, job.remaining_s is not None, round(job.fraction, 1)))

    job.at("loading")
    note()
    job.progress(0, 4)
    note()
    job.progress(2, 4)
    note()
    grouping = job.at("grouping")
    note()
    grouping(0, 100)
    note()
    grouping(50, 120)
    note()
    time.sleep(0.05)
    grouping(100, 200)
    assert told == [
        ("loading", False, 0.0),
        ("", False, 0.0),
        ("", True, 0.5),
        ("grouping", False, 0.0),
        ("grouping", False, 0.0),
        ("grouping", True, 0.4),
    ]
    assert 0.04 < job.remaining_s < 1


def test_a_job_of_many_keys_is_found_by_each_but_takes_none_from_another():
    runner, gate = JobRunner(), threading.Event()
    first = runner.submit("b", lambda job: gate.wait(5), title="B")
    many = runner.submit("a", lambda job: None, title="All", also=["b", "c"])
    assert runner.get("b") is first and runner.get("c") is many is runner.get("a")
    assert runner.active() == [first, many] and runner.is_going_on("c")
    gate.set()
    wait(many)
    assert runner.active() == [] and not runner.is_going_on("c")
