"""The command line over a real broker: a worker serves, is seen, trades, is watched, and leaves in good order."""

from __future__ import annotations

import json
import signal
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest

import mas
from tests.acceptance.mas_command import Command, read_until, run, started
from tests.rabbit import Rabbit, wait_until

LOGIN = {"account": 1001, "password": "hunter2", "server": "Demo"}
SELL = {"symbol": "EURUSD", "order_type": "sell", "volume": 0.1, "backtest_toggle": True}
PASSWORD = "hunter2"
posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot send SIGTERM to one process")


@contextmanager
def client(url: str) -> Iterator[mas.Client]:
    with mas.Client(url) as made, warnings.catch_warnings():
        warnings.simplefilter("ignore", mas.NoWorkerWarning)
        made.login(LOGIN)
        yield made


@contextmanager
def worker(url: str, *args: str) -> Iterator[None]:
    with started("sim-worker", "--url", url, "--name", "w1", *args) as process:
        read_until(process, "serves")
        yield


# ---- help, version and everything that is wrong before a broker is asked -------------------------------------------


def test_help_lists_every_verb_of_every_package() -> None:
    done = run("--help")
    assert done.returncode == 0
    for verb in ("demo", "sim-worker", "data", "status", "tail", "topology"):
        assert verb in done.stdout


@pytest.mark.parametrize("verb", ["demo", "sim-worker", "data", "status", "tail", "topology"])
def test_every_verb_explains_itself(command: Command, verb: str) -> None:
    done = command(verb, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"Usage: mas {verb}" in done.stdout


def test_the_version_is_one_line() -> None:
    done = run("--version")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("mas-order-router 0.")
    assert done.stdout.count("\n") == 1


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["nonsense"], "nonsense"),
        (["--nonsense"], "--nonsense"),
        (["sim-worker", "--slot", "3"], "--slots"),
        (["sim-worker", "--slots", "none"], "--slots"),
        (["sim-worker", "--url", "amqp://127.0.0.1:1/", "--runs", "2"], "--strategies"),
        (["sim-worker", "--url", "amqp://127.0.0.1:1/", "--strategies", "no/such"], "a directory"),
        (["status", f"amqp://user:{PASSWORD}@localhost/"], "amqp://...@localhost"),
        ([f"amqp://user:{PASSWORD}@localhost/"], "amqp://...@localhost"),
        (["status"], "MAS_URL"),
        (["tail", "--kind", "deal"], "execution"),
        (["tail", "--url", "amqp://h/", "--client", "a.b"], "--client"),
        (["topology", "declare", "--live", ":7"], "SERVER:LOGIN"),
        (["status", "--url", f"http://user:{PASSWORD}@localhost/"], "amqp://"),
        (["sim-worker", "--url", f"amqp://user:{PASSWORD}@localhost:port/"], "port"),
    ],
)
def test_what_is_wrong_with_a_command_line_is_one_line_without_a_password(
    command: Command, args: list[str], told: str
) -> None:
    done = command(*args)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("mas")
    assert told in done.stderr
    assert done.stderr.count("\n") == 1
    assert PASSWORD not in done.stderr


@pytest.mark.parametrize("verb", [["status"], ["tail"], ["topology", "declare"]])
def test_a_broker_that_is_not_there_is_one_line_with_its_address(verb: list[str]) -> None:
    done = run(*verb, MAS_URL=f"amqp://user:{PASSWORD}@localhost:1/nowhere")
    assert done.returncode == 2
    assert "localhost:1/nowhere" in done.stderr
    assert "refused" in done.stderr
    assert done.stderr.count("\n") == 1
    assert PASSWORD not in done.stdout + done.stderr


def test_a_worker_without_a_broker_gives_up_after_its_patience() -> None:
    start = time.monotonic()
    done = run("sim-worker", "--url", f"amqp://user:{PASSWORD}@localhost:1/", "--connect-timeout", "1.5")
    assert done.returncode == 2
    assert time.monotonic() - start > 1.5
    assert done.stderr.splitlines()[-1].startswith("mas sim-worker: no connection to RabbitMQ at localhost:1/")
    assert "Traceback" not in done.stderr
    assert PASSWORD not in done.stderr


def test_a_wrong_password_is_said_and_not_shown(rabbit_url: str) -> None:
    parts = urlsplit(rabbit_url)
    wrong = parts._replace(netloc=f"{parts.username}:{PASSWORD}@{parts.hostname}:{parts.port}").geturl()
    for verb in (["status"], ["sim-worker", "--connect-timeout", "1"]):
        done = run(*verb, "--url", wrong)
        assert done.returncode == 2
        assert "refused the user or the password" in done.stderr.splitlines()[-1]
        assert "Traceback" not in done.stderr
        assert PASSWORD not in done.stdout + done.stderr


# ---- a day in the life of a worker ---------------------------------------------------------------------------------


@posix
def test_a_worker_serves_an_order_is_seen_by_status_and_drains_on_sigterm(rabbit_url: str) -> None:
    with started("sim-worker", "--url", rabbit_url, "--name", "w1", "--slots", "3") as process:
        read_until(process, "serves")
        with client(rabbit_url) as trader:
            assert trader.send_order(SELL).state is mas.State.FILLED
            status = run("status", "--json", "--check", MAS_URL=rabbit_url)
            seen = json.loads(status.stdout)
        process.send_signal(signal.SIGTERM)
        rest = process.communicate(timeout=20)[0]

    assert process.returncode == 0, rest
    assert "has stopped" in rest
    assert "Traceback" not in rest
    assert (status.returncode, seen["healthy"], seen["problems"]) == (0, True, [])
    (beat,) = seen["workers"]
    assert (beat["worker"], beat["slots"], beat["draining"]) == ("w1", 2, False)
    (session,) = beat["sessions"]
    assert (session["login"], session["positions"]) == ("1001", 1)
    assert seen["queues"]["mas.backtest.open.v1"] == {"messages": 0, "consumers": 1}


@posix
def test_sigterm_while_the_worker_still_waits_for_the_broker_ends_it_with_0() -> None:
    with started("sim-worker", "--url", "amqp://localhost:1/", "--connect-timeout", "30") as process:
        read_until(process, "connecting again")
        process.send_signal(signal.SIGTERM)
        process.wait(10)
        assert process.returncode == 0


def test_a_worker_that_is_started_before_the_broker_serves_when_it_comes(rabbit: Rabbit) -> None:
    rabbit.stop()
    try:
        with started("sim-worker", "--url", rabbit.url, "--json-logs") as process:
            waiting = read_until(process, "connecting again")
            rabbit.start()
            serving = read_until(process, "serves")
    except BaseException:
        rabbit.start()
        raise
    assert [json.loads(line)["level"] for line in waiting] == ["warning"]
    assert json.loads(serving[-1])["logger"] == "mas.sim_worker"


def test_status_shows_tables_with_worker_account_and_queues(rabbit_url: str) -> None:
    with worker(rabbit_url), client(rabbit_url) as trader:
        trader.send_order(SELL)
        text = run("status", "--url", rabbit_url).stdout
    for word in ("w1", "serving", "1001", "Demo", "wall clock", "mas.backtest.open.v1", "no problems"):
        assert word in text
    assert max(map(len, text.splitlines())) <= 100


@pytest.fixture
def empty_url(rabbit: Rabbit, rabbit_url: str) -> str:
    """A vhost in which nothing is declared; a broker that is not the tests' own has none to offer."""
    assert rabbit.node, "skips by itself"
    return rabbit_url


def test_status_of_a_broker_without_workers_names_the_problem_and_check_exits_with_1(empty_url: str) -> None:
    fresh = run("status", "--url", empty_url, "--check")
    assert fresh.returncode == 1
    assert "no worker has ever been here" in fresh.stdout

    assert run("topology", "declare", "--url", empty_url).returncode == 0
    deserted = run("status", "--url", empty_url, "--wait", "1")
    assert deserted.returncode == 0
    assert "no worker was heard in 1 s" in deserted.stdout


# ---- tail ----------------------------------------------------------------------------------------------------------


def test_tail_shows_what_an_order_causes_and_ends_after_count_events(rabbit_url: str) -> None:
    with worker(rabbit_url), started("tail", "--url", rabbit_url, "--count", "2") as tail:
        read_until(tail, "listening")
        with client(rabbit_url) as trader:
            answer = trader.send_order(SELL)
        status, deal = tail.communicate(timeout=20)[0].splitlines()

    assert tail.returncode == 0
    assert f"{answer.client_order_id} FILLED" in " ".join(status.split())
    assert "deal sell 0.1 EURUSD @" in " ".join(deal.split())
    assert f"#{answer.ticket}" in deal


def test_tail_in_json_takes_only_the_kind_and_the_account_that_were_asked_for(rabbit_url: str) -> None:
    filters = ("--json", "--kind", "execution", "--account", "1002", "--count", "1")
    with worker(rabbit_url), started("tail", "--url", rabbit_url, *filters) as tail:
        read_until(tail, "listening")
        with client(rabbit_url) as trader:
            trader.send_order(SELL)
            trader.send_order({**SELL, "account": "1002"})
        event = json.loads(tail.communicate(timeout=20)[0])

    assert (event["kind"], event["account"], event["mode"]) == ("execution", "1002", "backtest")
    assert event["time"].endswith("Z")
    assert event["price"] > 0


@posix
@pytest.mark.parametrize("verb", [["tail"], ["sim-worker"]])
def test_ctrl_c_ends_what_runs_until_it_is_stopped_without_a_traceback(rabbit_url: str, verb: list[str]) -> None:
    with started(*verb, "--url", rabbit_url) as process:
        read_until(process, "listening" if verb == ["tail"] else "serves")
        process.send_signal(signal.SIGINT)
        rest = process.communicate(timeout=20)[0]
    assert process.returncode == 0
    assert "Traceback" not in rest


def test_tail_ends_after_its_seconds_and_leaves_no_queue_behind(rabbit_url: str, rabbit: Rabbit) -> None:
    assert run("tail", "--url", rabbit_url, "--for", "0.5").returncode == 0
    if rabbit.can_control:
        wait_until(lambda: not any("tail" in name for name in rabbit.queues(rabbit_url)), "no queue of tail")


def test_a_reader_that_stops_reading_is_no_error_with_a_traceback(rabbit_url: str) -> None:
    with worker(rabbit_url), started("tail", "--url", rabbit_url) as tail:
        read_until(tail, "listening")
        assert tail.stdout is not None
        with client(rabbit_url) as trader:
            trader.send_order(SELL)
            read_until(tail, "FILLED")
            closer = threading.Thread(target=tail.stdout.close)
            closer.start()
            closer.join(5)
            deadline = time.monotonic() + 20
            while tail.poll() is None and time.monotonic() < deadline:
                trader.send_order(SELL)
        assert tail.returncode == 1


# ---- topology ------------------------------------------------------------------------------------------------------


def test_topology_show_needs_no_broker_and_marks_what_exists_where_one_is_named(empty_url: str) -> None:
    plain = json.loads(run("topology", "show", "--json").stdout)
    assert {"mas.events", "mas.backtest", "mas.dlx", "mas.dead"} <= {row["name"] for row in plain["exchanges"]}

    declared = run("topology", "declare", "--url", empty_url, "--live", "Demo-1:7", "--queue-type", "classic")
    assert declared.returncode == 0, declared.stderr
    shown = json.loads(run("topology", "show", "--json", "--url", empty_url, "--live", "Demo-1:7").stdout)
    found = {row["name"]: row["found"] for kind in ("exchanges", "queues") for row in shown[kind]}
    assert found["mas.live.demo-1"] == "yes"
    assert found["mas.live.demo-1.7.orders.v1"] == "0 messages, 0 consumers"
    assert found["mas.backtest"] == "no"
    assert found["mas.reply.CLIENT.v1"] is None


def test_topology_show_draws_three_tables() -> None:
    text = run("topology", "show").stdout
    for word in ("Exchanges", "Queues", "Bindings", "mas.reply.CLIENT.v1", "mas.live.BROKER.LOGIN.orders.v1", "*.*.*."):
        assert word in text
    assert "on the broker" not in text
