"""Runs the command line so that, from SIGUSR1 on, every fsync and fdatasync of the process fails with EIO (Linux seccomp)."""

from __future__ import annotations

import ctypes
import errno
import platform
import signal
import struct
from types import FrameType

from clawscope.main.cli import run

_SYSCALLS = {"x86_64": (317, 74, 75), "aarch64": (277, 82, 83)}  # seccomp, fsync, fdatasync
_NO_NEW_PRIVILEGES, _SET_FILTER, _ALL_THREADS = 38, 1, 1
_LOAD, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x15, 0x06
_FAIL, _ALLOW = 0x0005_0000 | errno.EIO, 0x7FFF_0000


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


def break_the_disk(_signal: int, _frame: FrameType | None) -> None:
    """Install the filter for all threads."""
    seccomp, fsync, fdatasync = _SYSCALLS[platform.machine()]
    steps = [
        (_LOAD, 0, 0, 0),
        (_JUMP_IF_EQUAL, 1, 0, fsync),
        (_JUMP_IF_EQUAL, 0, 1, fdatasync),
        (_RETURN, 0, 0, _FAIL),
        (_RETURN, 0, 0, _ALLOW),
    ]
    code = b"".join(struct.pack("HBBI", *step) for step in steps)
    buffer = ctypes.create_string_buffer(code)
    program = _Program(len(steps), ctypes.cast(buffer, ctypes.c_void_p))
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0) == 0
    assert libc.syscall(seccomp, _SET_FILTER, _ALL_THREADS, ctypes.byref(program)) == 0


if __name__ == "__main__":
    signal.signal(signal.SIGUSR1, break_the_disk)
    run()
