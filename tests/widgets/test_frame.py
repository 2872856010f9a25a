"""What every widget has, without a page."""

from __future__ import annotations

import threading

import pytest
import traitlets

from ftkit.widgets.frame import Frame


class Counter(Frame):
    """A widget with something to tell."""

    _esm = "export default { render() {} };"

    count = traitlets.Int().tag(sync=True)
    choice = traitlets.Dict().tag(sync=True)


@pytest.fixture
def counter():
    """A widget, what it sends, and what is called before each message goes."""
    widget = Counter(count=1)
    widget.sent, widget.before = [], lambda: None

    def send(data, buffers=None, **_):
        widget.before()
        widget.sent.append((data["method"], data.get("state", data.get("content"))))

    widget.comm.send = send
    return widget


def test_a_page_that_asks_for_the_state_is_sent_it_before_the_answer(counter):
    counter._handle_custom_msg({"do": "ping", "state": ["count"]}, [])
    assert counter.sent == [("update", {"count": 1}), ("custom", {"pong": True})]


def test_a_page_that_has_heard_of_everything_is_sent_no_state(counter):
    counter._handle_custom_msg({"do": "ping", "state": []}, [])
    counter._handle_custom_msg({"do": "ping"}, [])
    assert counter.sent == 2 * [("custom", {"pong": True})]


def test_what_changes_while_the_state_is_being_sent_is_sent_last(counter):
    changing = threading.Thread(target=setattr, args=(counter, "count", 2))

    def change():
        counter.before = lambda: None
        changing.start()  # between the reading and the sending
        changing.join(0.2)

    counter.before = change
    counter._handle_custom_msg({"do": "ping", "state": ["count"]}, [])
    changing.join()
    assert [state["count"] for method, state in counter.sent if method == "update"] == [1, 2]


def test_a_state_that_changes_all_the_time_is_sent_once_and_the_kernel_is_free_again(counter):
    """A page may have asked for a stop meanwhile."""
    main = threading.current_thread()

    def change():
        if threading.current_thread() is main and counter.count < 50:
            changing = threading.Thread(target=setattr, args=(counter, "count", counter.count + 1))
            changing.start()
            changing.join(0.1)

    counter.before = change
    counter._handle_custom_msg({"do": "ping", "state": ["count"]}, [])
    assert counter.count == 3  # one change while the state went, one while the answer did


def test_a_page_cannot_ask_for_what_is_not_meant_for_it(counter):
    counter._handle_custom_msg({"do": "ping", "state": ["comm", "_still"]}, [])
    assert counter.sent == [("custom", {"pong": True})]
