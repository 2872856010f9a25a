"""A filter on system calls: what a student's answer may not ask of the kernel.

Three answers: what no honest code does ends the process (``SIGSYS``, the verdict is *tampered*);
what honest libraries try and live without is refused; what only changes a file's mode or owner,
or asks for other processors, is quietly not done.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct

_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}

# Numbers on x86_64 and on aarch64; None where a machine has no such call.
_KILLED: dict[str, tuple[int | None, int | None]] = {
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271),
    "process_madvise": (440, 440), "kcmp": (312, 272), "pidfd_getfd": (438, 438),
    "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51),
    "move_mount": (429, 429), "open_tree": (428, 428), "fsopen": (430, 430),
    "mount_setattr": (442, 442), "unshare": (272, 97), "setns": (308, 268), "bpf": (321, 280),
    "perf_event_open": (298, 241), "userfaultfd": (323, 282), "init_module": (175, 105),
    "finit_module": (313, 273), "delete_module": (176, 106), "kexec_load": (246, 104),
    "reboot": (169, 142), "swapon": (167, 224), "swapoff": (168, 225), "acct": (163, 89),
    "open_by_handle_at": (304, 265), "settimeofday": (164, 170), "clock_settime": (227, 112),
    "sethostname": (170, 161), "setdomainname": (171, 162), "keyctl": (250, 219),
    "add_key": (248, 217), "request_key": (249, 218),
}  # fmt: skip
_REFUSED: dict[str, tuple[int | None, int | None]] = {
    "socket": (41, 198), "socketpair": (53, 199), "connect": (42, 203), "bind": (49, 200),
    "listen": (50, 201), "accept": (43, 202), "accept4": (288, 242),
    "fork": (57, None), "vfork": (58, None), "execve": (59, 221), "execveat": (322, 281),
    "memfd_create": (319, 279), "memfd_secret": (447, 447), "shmget": (29, 194),
    "msgget": (68, 186), "semget": (64, 190), "mq_open": (240, 180), "setrlimit": (160, 164),
    "tkill": (200, 130), "pidfd_send_signal": (424, 424), "setpriority": (141, 140),
    "sched_setscheduler": (144, 119), "sched_setparam": (142, 118), "sched_setattr": (314, 274),
    "fanotify_init": (300, 262), "ioprio_set": (251, 30), "mlockall": (151, 230),
    "mknod": (133, None), "mknodat": (259, 33), "link": (86, None), "linkat": (265, 37),
    "truncate": (76, 45),
}  # fmt: skip
_ABSENT: dict[str, tuple[int | None, int | None]] = {
    "clone3": (435, 435), "io_uring_setup": (425, 425), "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427), "openat2": (437, 437),
}  # fmt: skip
_PRETENDED: dict[str, tuple[int | None, int | None]] = {
    "chmod": (90, None), "fchmod": (91, 52), "fchmodat": (268, 53), "fchmodat2": (452, 452),
    "chown": (92, None), "lchown": (94, None), "fchown": (93, 55), "fchownat": (260, 54),
    "utime": (132, None), "utimes": (235, None), "futimesat": (261, None), "utimensat": (280, 88),
    "setxattr": (188, 5), "lsetxattr": (189, 6), "fsetxattr": (190, 7), "removexattr": (197, 14),
    "lremovexattr": (198, 15), "fremovexattr": (199, 16), "sched_setaffinity": (203, 122),
}  # fmt: skip
_CLONE, _KILL, _TGKILL = (56, 220), (62, 129), (234, 131)
_SIGQUEUE, _TGSIGQUEUE = (129, 138), (297, 240)
_FCNTL, _IOCTL, _MMAP, _PRLIMIT = (72, 25), (16, 29), (9, 222), (302, 261)
_PRCTL = (157, 167)
_OPENS = {"x86_64": ((2, 1), (257, 2)), "aarch64": ((56, 2),)}  # and which argument is the flags

_RET_KILL, _RET_ERRNO, _RET_ALLOW = 0x80000000, 0x00050000, 0x7FFF0000
_LD, _JEQ, _JSET, _JGE, _RET, _AND = 0x20, 0x15, 0x45, 0x35, 0x06, 0x54
_CLONE_THREAD = 0x10000
_SET_OWNER = (8, 10, 15)  # F_SETOWN, F_SETSIG, F_SETOWN_EX: signals to others by way of a file
_OWNER_IOCTLS = (0x8901, 0x8902, 0x5412)  # FIOSETOWN, SIOCSPGRP, TIOCSTI
_EMPTIED, _OPEN_MODE = 0x200, 0x203  # O_TRUNC with O_RDONLY, which Landlock overlooks before 6.2
_SHARED_ANONYMOUS = 0x21  # counts in no memory limit
_KEPT = (1, 4)  # PR_SET_PDEATHSIG, PR_SET_DUMPABLE: that it ends with the grader, and is watched


def supported() -> bool:
    """Whether this module knows the machine's system calls."""
    return os.uname().sysname == "Linux" and platform.machine() in _ARCHITECTURES


def install() -> None:
    """Puts this process, and every thread that it starts, under the filter for good.

    Raises:
        OSError: If the kernel refuses.
    """
    program = _program(platform.machine(), os.getpid())
    code = (ctypes.c_char * len(program)).from_buffer_copy(program)
    length = len(program) // 8
    fprog = struct.pack("HxxxxxxP", length, ctypes.addressof(code))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(38, 1, 0, 0, 0) != 0:  # PR_SET_NO_NEW_PRIVS
        raise OSError(ctypes.get_errno(), "no_new_privs was refused")
    if libc.prctl(22, 2, fprog, 0, 0) != 0:  # PR_SET_SECCOMP, SECCOMP_MODE_FILTER
        raise OSError(ctypes.get_errno(), "the seccomp filter was refused")


def _program(machine: str, pid: int) -> bytes:
    """The filter as BPF: a chain of checks, each of which returns or goes on to the next."""
    at = list(_ARCHITECTURES).index(machine)
    steps = [_step(_LD, 4), _step(_JEQ, _ARCHITECTURES[machine], 1, 0), _step(_RET, _RET_KILL)]
    steps.append(_step(_LD, 0))
    if machine == "x86_64":  # the x32 calls have this bit set
        steps += [_step(_JGE, 0x40000000, 0, 1), _step(_RET, _RET_KILL)]
    for table, result in (
        (_KILLED, _RET_KILL),
        (_REFUSED, _RET_ERRNO | errno.EPERM),
        (_ABSENT, _RET_ERRNO | errno.ENOSYS),
        (_PRETENDED, _RET_ERRNO),
    ):
        for numbers in table.values():
            if numbers[at] is not None:
                steps += [_step(_JEQ, numbers[at], 0, 1), _step(_RET, result)]
    steps += _argument(_CLONE[at], 0, [_step(_JSET, _CLONE_THREAD, 1, 0)], errno.EPERM)
    for number in (_KILL[at], _TGKILL[at], _SIGQUEUE[at], _TGSIGQUEUE[at]):
        steps += _argument(number, 0, [_step(_JEQ, pid, 1, 0)], None)
    for number, values in ((_FCNTL[at], _SET_OWNER), (_IOCTL[at], _OWNER_IOCTLS)):
        for value in values:
            steps += _argument(number, 1, [_step(_JEQ, value, 0, 1)], None)
    masked = [_step(_AND, _SHARED_ANONYMOUS), _step(_JEQ, _SHARED_ANONYMOUS, 0, 1)]
    steps += _argument(_MMAP[at], 3, masked, errno.ENOMEM)
    masked = [_step(_AND, _OPEN_MODE), _step(_JEQ, _EMPTIED, 0, 1)]
    for number, index in _OPENS[machine]:
        steps += _argument(number, index, masked, errno.EPERM)
    for value in _KEPT:
        steps += _argument(_PRCTL[at], 0, [_step(_JEQ, value, 0, 1)], errno.EPERM)
    steps += _null(_PRLIMIT[at], 2)
    return b"".join([*steps, _step(_RET, _RET_ALLOW)])


def _argument(number: int, index: int, test: list[bytes], refusal: int | None) -> list[bytes]:
    """Checks the low half of one argument; ``test`` skips one step when the call may pass."""
    result = _RET_KILL if refusal is None else _RET_ERRNO | refusal
    inner = [_step(_LD, 16 + 8 * index), *test, _step(_RET, result)]
    return [_step(_JEQ, number, 0, len(inner) + 1), *inner, _step(_LD, 0)]


def _null(number: int, index: int) -> list[bytes]:
    """Refuses a call unless an argument is 0 in both of its halves."""
    inner = [_step(_LD, 16 + 8 * index), _step(_JEQ, 0, 0, 2), _step(_LD, 20 + 8 * index)]
    inner += [_step(_JEQ, 0, 1, 0), _step(_RET, _RET_ERRNO | errno.EPERM)]
    return [_step(_JEQ, number, 0, len(inner) + 1), *inner, _step(_LD, 0)]


def _step(code: int, value: int | None, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("HBBI", code, if_true, if_false, value or 0)
