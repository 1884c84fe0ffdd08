"""A server's end of an HTTP/2 connection, by the h2 library, with the bounds that it states."""

from typing import NamedTuple

from h2 import events as happened
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.exceptions import StreamClosedError
from h2.settings import SettingCodes, Settings
from hyperframe.frame import DataFrame, Frame, GoAwayFrame

DEFAULT_WINDOW_BYTES = 65_535


class Bounds(NamedTuple):
    streams: int = 100
    stream_window_bytes: int = 64 * 1024
    connection_window_bytes: int = 1024 * 1024
    header_list_bytes: int = 64 * 1024
    free_frames_burst: int = 400
    free_frames_per_second: int = 40
    idle_seconds: float = 75.0
    ping_after_seconds: float = 30.0
    ping_answer_seconds: float = 20.0


class Connection(H2Connection):
    """h2 with two things that it leaves out.

    It holds a connection for closed once its client says that it will ask nothing more. And it does
    not tell of data for streams that are over.
    """

    def _receive_goaway_frame(self, frame: GoAwayFrame) -> tuple[list[Frame], list[happened.Event]]:
        ended = happened.ConnectionTerminated()
        ended.error_code = frame.error_code
        return [], [ended]

    def _handle_data_on_closed_stream(
        self, events: list[happened.Event], exc: StreamClosedError, frame: DataFrame
    ) -> tuple[list[Frame], list[happened.Event]]:
        frames, events = super()._handle_data_on_closed_stream(events, exc, frame)
        # Its part of the connection's window is open again already.
        late = happened.DataReceived(
            stream_id=frame.stream_id, data=frame.data, flow_controlled_length=0
        )
        return frames, [*events, late]


def opened(bounds: Bounds) -> H2Connection:
    h2 = Connection(
        H2Configuration(
            client_side=False,
            header_encoding=None,
            validate_outbound_headers=False,
            normalize_outbound_headers=False,
        )
    )
    h2.local_settings = Settings(
        client=False,
        initial_values={
            SettingCodes.INITIAL_WINDOW_SIZE: bounds.stream_window_bytes,
            SettingCodes.MAX_HEADER_LIST_SIZE: bounds.header_list_bytes,
            SettingCodes.ENABLE_CONNECT_PROTOCOL: 1,
        },
    )
    h2.initiate_connection()
    # Said after the rest: h2 ends a connection that exceeds it, which a client that has not read
    # it yet does not deserve. Until it is acknowledged, streams too many are refused one by one.
    h2.update_settings({SettingCodes.MAX_CONCURRENT_STREAMS: bounds.streams})
    h2.increment_flow_control_window(bounds.connection_window_bytes - DEFAULT_WINDOW_BYTES)
    return h2
