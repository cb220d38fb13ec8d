"""A load shape: one more user every half a minute, ten in all. Beside any Locust file with users of one rate:

locust -f loadtests/deidentify.py,loadtests/steps.py --host http://127.0.0.1:8080 --headless --html report.html
"""

from locust import LoadTestShape


class Steps(LoadTestShape):
    step_s, most_users = 30, 10

    def tick(self):
        users = int(self.get_run_time() // self.step_s) + 1
        return (users, users) if users <= self.most_users else None
