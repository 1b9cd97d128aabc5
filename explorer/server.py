"""Once a server: its memory, its address and its modules. Loads nothing of ours."""

import contextlib
import ctypes
import gc

import streamlit as st
from streamlit import net_util

_M_MMAP_THRESHOLD = -3  # of glibc's malloc.h


@st.cache_resource(show_spinner=False)
def return_memory() -> None:
    """Once a server: blocks of a megabyte and more go back to the system when they are freed. Streamlit runs each page
    in a new thread, and glibc, which learns to keep such blocks, would keep them for each thread anew: 20 MB for each
    release of the threshold, of a layer with 1000 labels. Elsewhere than with glibc nothing is done."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").mallopt(_M_MMAP_THRESHOLD, 1 << 20)


@st.cache_resource(show_spinner=False)
def disable_public_ip_lookup() -> None:
    """From a server's first page on: where a page of another server tries to open a session, Streamlit asks a server of
    Amazon's for this machine's public address, and all others wait for up to 2 s, each time. It gets an answer that
    allows none. Before the first page, and at a start with `--server.address 0.0.0.0`, it does ask."""
    with contextlib.suppress(AttributeError):
        net_util._external_ip = net_util._external_ip or "127.0.0.1"


@st.cache_resource(show_spinner=False)
def freeze_modules() -> None:
    """Once a server: Streamlit collects garbage after each run, before its last numbers are out. Going through what the
    imports made would hold them back by a tenth of a second each time."""
    gc.collect()
    gc.freeze()
