"""Locust's FastHttpUser, as its documentation has it. Prints requests and its own CPU once all users run."""

import json
import sys
import time

import gevent
from locust import FastHttpUser, constant, task
from locust.env import Environment


class Asks(FastHttpUser):
    wait_time = constant(0)

    @task
    def ask(self) -> None:
        with self.client.get("/", catch_response=True) as answer:
            if answer.json()["greeting"] != "Hello":
                answer.failure("wrong")


def run(port: int, seconds: float, connections: int) -> dict[str, float]:
    environment = Environment(user_classes=[Asks], host=f"http://127.0.0.1:{port}")
    runner = environment.create_local_runner()
    runner.start(connections, spawn_rate=connections)
    gevent.sleep(1.5)  # until all have begun
    environment.stats.reset_all()
    cpu_s, wall_s = time.process_time(), time.monotonic()
    gevent.sleep(seconds)
    cpu_s, wall_s = time.process_time() - cpu_s, time.monotonic() - wall_s
    total = environment.stats.total
    found = {"requests": total.num_requests, "cpu_s": cpu_s, "wall_s": wall_s}
    assert total.num_failures == 0, "expected right answers only"
    runner.quit()
    return found


if __name__ == "__main__":
    print(json.dumps(run(int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]))))
