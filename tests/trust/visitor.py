"""A person without a browser: Streamlit's own messages over a WebSocket, as its page in a browser sends and reads them.

Fifty browsers would need more than a server that is being measured leaves of a small machine; fifty of these do not.
"""

import asyncio
import json
import time
from typing import Any
from urllib.parse import parse_qs

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.Delta_pb2 import Delta
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.asyncio.client import ClientConnection, connect

_TRIGGER = "$$STREAMLIT_INTERNAL_KEY_{}__events"  # Streamlit's name for what a component tells
_LARGEST = 200 << 20  # bytes of a message: Streamlit's own limit


class Visitor:
    """One session of the explorer. What the page shows at the moment is in `elements`, by its place."""

    def __init__(self, socket: ClientConnection, patience: float) -> None:
        self._socket = socket
        self._patience = patience  # seconds for an answer
        self._states: dict[str, WidgetState] = {}
        self._page = ""  # Streamlit's hash of the page that is open
        self._address = ""
        self._is_part = False  # whether a part of the page is being drawn, and the rest stays
        self.elements: dict[tuple[int, ...], tuple[Delta, str]] = {}
        self.problems: list[str] = []
        self.session = ""  # Streamlit's name for it

    @classmethod
    async def arrive(cls, address: str, patience: float = 300) -> "Visitor":
        """`address`: of the explorer, http://127.0.0.1:PORT."""
        socket = await connect(
            f"{address.replace('http', 'ws', 1)}/_stcore/stream",
            subprotocols=["streamlit"],  # type: ignore[list-item]
            max_size=_LARGEST,
            open_timeout=patience,
            ping_interval=None,
            compression=None,
        )
        return cls(socket, patience)

    async def leave(self) -> None:
        await self._socket.close()

    async def open(self, page: str, query: str) -> float:
        """Follow a link to a page; the seconds until it is all there. What is drawn later is asked for afterwards."""
        self._address, self._states = query, {}
        self.elements.clear()
        taken = await self._run(page_name=page)
        while waiting := [place for place, (delta, _) in self.elements.items() if _is_later(delta)]:
            place = waiting[0]
            await self.tell(place, "rest", True)
            if place in self.elements and _is_later(self.elements[place][0]) and len(waiting) == 1:
                break
        return taken

    async def slide(self, label: str, value: float) -> float:
        """Release a slider; the seconds until everything that follows is there."""
        delta, _ = self.find("slider", label)
        slider = delta.new_element.slider
        state = WidgetState(id=slider.id)
        state.double_array_value.data.append(value)
        self._states[slider.id] = state
        return await self._run(fragment=delta.fragment_id)

    async def press(self, label: str) -> float:
        delta, _ = self.find("button", label)
        return await self._run(WidgetState(id=delta.new_element.button.id, trigger_value=True), delta.fragment_id)

    async def tell(self, place: tuple[int, ...], event: str, value: Any) -> float:
        """What a component of ours tells Python."""
        delta, _ = self.elements[place]
        told = json.dumps([{"event": event, "value": value}])
        identity = _TRIGGER.format(delta.new_element.bidi_component.id)
        return await self._run(WidgetState(id=identity, json_trigger_value=told), delta.fragment_id)

    def find(self, kind: str, label: str) -> tuple[Delta, tuple[int, ...]]:
        """The element of this kind whose label, or for a component of ours whose name, starts so."""
        for place, (delta, found) in self.elements.items():
            if found == kind:
                element = getattr(delta.new_element, kind)
                name = element.component_name if kind == "bidi_component" else element.label
                if name.startswith(label):
                    return delta, place
        raise LookupError(f"no {kind} {label!r} on this page: {self.problems or sorted(self.texts())[:5]}")

    def metrics(self) -> dict[str, str]:
        found = (delta.new_element.metric for delta, kind in self.elements.values() if kind == "metric")
        return {metric.label: metric.body for metric in found}

    def texts(self) -> list[str]:
        return [delta.new_element.html.body for delta, kind in self.elements.values() if kind == "html"]

    def component(self, name: str) -> dict[str, Any]:
        """The header of what was sent to a component of ours."""
        data = self.find("bidi_component", name)[0].new_element.bidi_component.bytes
        header: dict[str, Any] = json.loads(data[4 : 4 + int.from_bytes(data[:4], "little")])
        return header

    async def look(self) -> None:
        """Ask for new files, as a page at rest does every two seconds."""
        place = next(place for place, (delta, _) in self.elements.items() if _is_look(delta))
        await self.tell(place, "rest", True)

    def parameter(self, name: str) -> str | None:
        """Of the address that the page has now."""
        return parse_qs(self._address).get(name, [None])[0]

    async def _run(self, trigger: WidgetState | None = None, fragment: str = "", page_name: str = "") -> float:
        """Ask for a run of the page, or of a part of it, and read all that comes; the seconds that it took."""
        message = BackMsg()
        wanted = message.rerun_script
        wanted.query_string, wanted.fragment_id = self._address, fragment
        wanted.page_name, wanted.page_script_hash = page_name, "" if page_name else self._page
        wanted.widget_states.widgets.extend(self._states.values())
        if trigger is not None:
            wanted.widget_states.widgets.append(trigger)
        self._is_part = bool(fragment)
        start = time.monotonic()
        await self._socket.send(message.SerializeToString())
        async with asyncio.timeout(self._patience):
            while not self._read(ForwardMsg.FromString(bytes(await self._socket.recv(decode=False)))):
                pass
        return time.monotonic() - start

    def _read(self, message: ForwardMsg) -> bool:
        """Take a message in; True where it is the last of a run."""
        kind = message.WhichOneof("type")
        if kind == "new_session":
            self.session = message.new_session.initialize.session_id or self.session
            if not self._is_part:
                self.elements.clear()
        elif kind == "delta":
            self._take(tuple(message.metadata.delta_path), message.delta)
        elif kind == "navigation":
            self._page = message.navigation.page_script_hash
        elif kind == "page_info_changed":
            self._address = message.page_info_changed.query_string
        elif kind == "session_event" and message.session_event.HasField("script_compilation_exception"):
            self.problems.append(message.session_event.script_compilation_exception.message)
        if kind != "script_finished":
            return False
        is_last = message.script_finished != ForwardMsg.FINISHED_EARLY_FOR_RERUN
        self._is_part &= is_last  # what a part asks for, with `st.rerun`, is a run of the whole page
        return is_last

    def _take(self, place: tuple[int, ...], delta: Delta) -> None:
        for inside in [other for other in self.elements if other[: len(place)] == place]:
            del self.elements[inside]  # a block that is written again is empty
        if delta.WhichOneof("type") != "new_element":
            return
        kind = delta.new_element.WhichOneof("type")
        self.elements[place] = (delta, kind)
        if kind == "exception":
            self.problems.append(delta.new_element.exception.message)
        elif kind == "alert" and delta.new_element.alert.format == delta.new_element.alert.ERROR:
            self.problems.append(delta.new_element.alert.body)


def _is_later(delta: Delta) -> bool:
    return _told(delta) == {"every": None}


def _is_look(delta: Delta) -> bool:
    told = _told(delta)
    return told is not None and told.get("every") is not None


def _told(delta: Delta) -> dict[str, Any] | None:
    """What `page.when_at_rest` told its component; None where this is another element."""
    component = delta.new_element.bidi_component
    if component.component_name != "filterscope.at_rest":
        return None
    told: dict[str, Any] = json.loads(component.json)
    return told
