"""Calls at exact times, in order."""

import asyncio
import time

from seatrial.traffic.alarm import CALLS_A_TURN, Alarm


async def test_calls_come_in_the_order_of_their_times_and_never_early():
    called = []
    alarm = Alarm(asyncio.get_running_loop())
    start_s = time.monotonic()
    for delay_s in (0.03, 0.01, 0.02, 0.01, -1.0):
        due_s = start_s + delay_s
        alarm.at(due_s, lambda due_s=due_s: called.append((due_s, time.monotonic())))
    async with asyncio.timeout(5):
        while len(called) < 5:
            await asyncio.sleep(0.005)
    alarm.close()
    dues = [due_s for due_s, _ in called]
    assert dues == sorted(dues)
    assert all(at_s >= due_s for due_s, at_s in called)


async def test_a_call_may_set_the_next_one():
    called = []
    alarm = Alarm(asyncio.get_running_loop())
    done = asyncio.Event()

    def again():
        called.append(1)
        if len(called) == 3:
            done.set()
        else:
            alarm.at(time.monotonic() + 0.005, again)

    alarm.at(time.monotonic(), again)
    async with asyncio.timeout(5):
        await done.wait()
    alarm.close()
    assert len(called) == 3


async def test_nothing_is_called_after_close():
    called = []
    alarm = Alarm(asyncio.get_running_loop())
    alarm.at(time.monotonic() + 0.01, lambda: called.append(1))
    alarm.close()
    await asyncio.sleep(0.03)
    assert called == []


async def test_calls_that_are_overdue_leave_turns_to_the_rest_of_the_loop():
    """A generator that is behind has answers to read."""
    loop = asyncio.get_running_loop()
    alarm = Alarm(loop)
    turns, called_in = 0, []
    done = asyncio.Event()

    def turn():
        nonlocal turns
        turns += 1
        if not done.is_set():
            loop.call_soon(turn)

    def call():
        called_in.append(turns)
        if len(called_in) == 1000:
            done.set()
        elif len(called_in) >= 500:
            alarm.at(0.0, call)  # long ago

    for _ in range(500):
        alarm.at(0.0, call)
    turn()
    async with asyncio.timeout(10):
        await done.wait()
    alarm.close()
    assert max(called_in.count(number) for number in set(called_in)) <= CALLS_A_TURN
