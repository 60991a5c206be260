// SPDX-License-Identifier: GPL-2.0-or-later
#include "jump.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/sched.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "sandbox/sanitizer.h"
#include "wicket/link.h"

#define PAGE   4096
#define ROOM   256
#define CODE   (PROT_READ | PROT_EXEC)
#define DATA   (PROT_READ | PROT_WRITE)
#define MEMORY (MAP_PRIVATE | MAP_ANONYMOUS)

#define BOTH      (JUMP_RESPONDER | JUMP_KEEPER)
#define RESPONDER JUMP_RESPONDER
#define KEEPER    JUMP_KEEPER
#define OR_ASAN   JUMP_SANITIZER

/* Numbers that stand for the way a call is made: getpid as 32-bit programs do, and vfork. */
#define MODE_32 (-1)
#define VFORK   (-2)

static void listen_on_loopback(int fd, uint16_t *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t length = sizeof(address);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    if (port == NULL)
        return;
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    *port = ntohs(address.sin_port);
}

void jump_ground_make(struct jump_ground *ground)
{
    *ground = (struct jump_ground){
        .tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0),
        .bound = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0),
        .server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0),
        .shut = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0),
        .datagram = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0),
        .null = open("/dev/null", O_RDWR | O_CLOEXEC),
        .program = open("/bin/true", O_RDONLY | O_CLOEXEC),
        .page = mmap(NULL, PAGE, DATA, MEMORY, -1, 0),
    };
    assert_true(ground->tcp > 2 && ground->bound > 2 && ground->server > 2);
    assert_true(ground->datagram > 2 && ground->null > 2 && ground->program > 2);
    assert_true(ground->page != MAP_FAILED);
    listen_on_loopback(ground->bound, NULL);
    listen_on_loopback(ground->shut, &ground->port);
    assert_int_equal(shutdown(ground->shut, SHUT_RD), 0);
    listen_on_loopback(ground->server, &ground->port);
}

void jump_ground_close(struct jump_ground *ground)
{
    const int fds[] = {ground->tcp,      ground->bound, ground->server, ground->shut,
                       ground->datagram, ground->null,  ground->program};

    for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
        close(fds[i]);
    munmap(ground->page, PAGE);
}

/* What a responder must not do its writer must not either, but for what its file takes. */
static void forbid_to_ledger(struct jump *list, size_t count)
{
    static const long taken[] = {SYS_openat,    SYS_newfstatat, SYS_renameat2,
                                 SYS_ftruncate, SYS_pread64,    SYS_writev};

    for (size_t i = 0; i < count; i++) {
        bool is_taken = (list[i].flags & JUMP_RESPONDER) == 0;
        for (size_t at = 0; at < sizeof(taken) / sizeof(taken[0]); at++)
            is_taken = is_taken || list[i].number == taken[at];
        if (!is_taken)
            list[i].flags |= JUMP_LEDGER;
    }
}

size_t jump_list(const struct jump_ground *ground, const struct jump **out)
{
    static char nowhere[] = "/nonexistent/x", passwd[] = "/etc/passwd", program[] = "/bin/true";
    static char empty[] = "";
    static char *arguments[] = {program, NULL};
    static struct sockaddr_in there = {.sin_family = AF_INET};
    static struct sockaddr_un local = {.sun_family = AF_UNIX, .sun_path = "/nonexistent"};
    static char byte[1];
    static struct iovec part = {byte, sizeof(byte)};
    static struct msghdr to_there = {
        .msg_name = &there, .msg_namelen = sizeof(there), .msg_iov = &part, .msg_iovlen = 1};
    static struct rlimit limit;
    static int one = 1;
    static long how[3];
    static struct jump list[ROOM];
    const long page = (long)ground->page, parent = getppid();
    size_t count = 0;

    there.sin_port = htons(ground->port);
    there.sin_addr.s_addr = htonl(INADDR_LOOPBACK);

#define ADD(title, who, call, ...)                                                \
    do {                                                                          \
        assert_true(count < ROOM);                                                \
        list[count++] = (struct jump){(title), (who), SYS_##call, {__VA_ARGS__}}; \
    } while (0)
#define P(pointer) ((long)(pointer))

    /* files */
    ADD("open", RESPONDER | OR_ASAN, openat, AT_FDCWD, P(passwd), O_RDONLY);
    ADD("open to write", BOTH | OR_ASAN, openat, AT_FDCWD, P(nowhere), O_WRONLY);
    ADD("open to read and write", BOTH | OR_ASAN, openat, AT_FDCWD, P(nowhere), O_RDWR);
    ADD("open to create", BOTH | OR_ASAN, openat, AT_FDCWD, P(nowhere), O_CREAT, 0600);
    ADD("open a nameless file", BOTH | OR_ASAN, openat, AT_FDCWD, P(nowhere), O_TMPFILE | O_RDWR);
    ADD("openat2", RESPONDER, openat2, AT_FDCWD, P(passwd), P(how), sizeof(how));
    ADD("open_by_handle_at", BOTH, open_by_handle_at, AT_FDCWD, 0, O_RDONLY);
    ADD("name_to_handle_at", BOTH, name_to_handle_at, AT_FDCWD, P(empty), 0, 0, 0);
    ADD("stat", RESPONDER | OR_ASAN, newfstatat, AT_FDCWD, P(passwd), P(ground->page), 0);
    ADD("statx", BOTH, statx, AT_FDCWD, P(passwd), 0, 0, 0);
    ADD("access", RESPONDER, faccessat, AT_FDCWD, P(passwd), R_OK);
    ADD("readlink", RESPONDER | OR_ASAN, readlinkat, AT_FDCWD, P(passwd), page, PAGE);
    ADD("getdents", RESPONDER | OR_ASAN, getdents64, ground->null, page, PAGE);
    ADD("getcwd", RESPONDER | OR_ASAN, getcwd, page, PAGE);
    ADD("unlink", RESPONDER, unlinkat, AT_FDCWD, P(nowhere), 0);
    ADD("rename", BOTH, renameat2, AT_FDCWD, P(nowhere), AT_FDCWD, P(nowhere), 0);
    ADD("link", BOTH, linkat, AT_FDCWD, P(nowhere), AT_FDCWD, P(nowhere), 0);
    ADD("symlink", BOTH, symlinkat, P(nowhere), AT_FDCWD, P(nowhere));
    ADD("mkdir", RESPONDER, mkdirat, AT_FDCWD, P(nowhere), 0700);
    ADD("mknod", BOTH, mknodat, AT_FDCWD, P(nowhere), 0600, 0);
    ADD("chmod", BOTH, fchmodat, AT_FDCWD, P(nowhere), 0600);
    ADD("fchmod", BOTH, fchmod, -1, 0666);
    ADD("fchown", BOTH, fchown, -1, 0, -1);
    ADD("chown", BOTH, fchownat, AT_FDCWD, P(nowhere), 0, 0, 0);
    ADD("truncate", BOTH, truncate, P(nowhere), 0);
    ADD("ftruncate", RESPONDER, ftruncate, ground->null, 0);
    ADD("fallocate", BOTH, fallocate, ground->null, 0, 0, 1);
    ADD("setxattr", BOTH, setxattr, P(nowhere), P(empty), 0, 0, 0);
    ADD("utimensat", BOTH, utimensat, AT_FDCWD, P(nowhere), 0, 0);
    ADD("inotify", BOTH, inotify_init1, 0);
    ADD("fanotify", BOTH, fanotify_init, 0, 0);
    ADD("chdir", RESPONDER, chdir, P(nowhere));
    ADD("chroot", RESPONDER, chroot, P(nowhere));

    /* descriptors that are there */
    ADD("read", RESPONDER | OR_ASAN, read, ground->null, page, 1);
    ADD("readv", BOTH, readv, ground->null, P(&part), 1);
    ADD("pread", RESPONDER, pread64, ground->null, page, 1, 0);
    ADD("write elsewhere than to the log", RESPONDER | OR_ASAN, write, ground->null, page, 1);
    ADD("writev elsewhere than to the log", RESPONDER, writev, ground->null, P(&part), 1);
    ADD("pwrite", BOTH, pwrite64, ground->null, page, 1, 0);
    ADD("sendfile", BOTH, sendfile, ground->null, ground->program, 0, 1);
    ADD("copy_file_range", BOTH, copy_file_range, ground->program, 0, ground->null, 0, 1, 0);
    ADD("vmsplice", BOTH, vmsplice, ground->null, P(&part), 1, 0);
    ADD("tee", BOTH, tee, ground->null, ground->null, 1, 0);
    ADD("dup", BOTH, dup, ground->null);
    ADD("dup3", RESPONDER, dup3, ground->null, ground->tcp, 0);
    ADD("fcntl F_DUPFD", RESPONDER, fcntl, ground->null, F_DUPFD, 0);
    ADD("fcntl F_SETOWN", BOTH, fcntl, ground->tcp, F_SETOWN, parent);
    ADD("fcntl F_SETSIG", BOTH, fcntl, ground->tcp, F_SETSIG, 0);
    ADD("fcntl F_SETLEASE", BOTH, fcntl, ground->program, F_SETLEASE, F_UNLCK);
    ADD("fcntl F_SETLK", BOTH, fcntl, ground->program, F_SETLK, 0);
    ADD("fcntl F_ADD_SEALS", BOTH, fcntl, ground->null, F_ADD_SEALS, 0);
    ADD("ioctl TIOCSTI", BOTH, ioctl, ground->null, TIOCSTI, P(byte));
    ADD("ioctl FIONBIO", BOTH, ioctl, ground->null, FIONBIO, P(&one));
    ADD("ioctl SIOCGIFADDR", BOTH, ioctl, ground->tcp, 0x8915, page);
    ADD("epoll_create1", RESPONDER, epoll_create1, 0);
    ADD("eventfd", BOTH, eventfd2, 0, 0);
    ADD("timerfd", BOTH, timerfd_create, CLOCK_MONOTONIC, 0);
    ADD("signalfd", BOTH, signalfd4, -1, page, 8, 0);

    /* sockets */
    ADD("socket AF_INET", RESPONDER, socket, AF_INET, SOCK_STREAM, 0);
    ADD("socket AF_INET6", RESPONDER, socket, AF_INET6, SOCK_STREAM, 0);
    ADD("socket AF_INET of datagrams", BOTH, socket, AF_INET, SOCK_DGRAM, 0);
    ADD("socket AF_INET6 of datagrams", BOTH, socket, AF_INET6, SOCK_DGRAM, 0);
    ADD("socket of multipath TCP", BOTH, socket, AF_INET, SOCK_STREAM, 262);
    ADD("socket of multipath TCP over IPv6", BOTH, socket, AF_INET6, SOCK_STREAM, 262);
    ADD("socket AF_INET of SCTP", BOTH, socket, AF_INET, SOCK_STREAM, IPPROTO_SCTP);
    ADD("socket AF_INET raw", BOTH, socket, AF_INET, SOCK_RAW, IPPROTO_ICMP);
    ADD("socket AF_UNIX", BOTH, socket, AF_UNIX, SOCK_STREAM, 0);
    ADD("socket AF_PACKET", BOTH, socket, AF_PACKET, SOCK_RAW, 0);
    ADD("socket AF_ALG", BOTH, socket, AF_ALG, SOCK_SEQPACKET, 0);
    ADD("socket AF_VSOCK", BOTH, socket, AF_VSOCK, SOCK_STREAM, 0);
    ADD("socket AF_KEY", BOTH, socket, AF_KEY, SOCK_RAW, 2);
    ADD("socket AF_NETLINK", RESPONDER, socket, AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
    ADD("socket AF_NETLINK of audit", BOTH, socket, AF_NETLINK, SOCK_RAW, NETLINK_AUDIT);
    ADD("socketpair", RESPONDER, socketpair, AF_UNIX, SOCK_STREAM, 0, page);
    ADD("connect", RESPONDER, connect, ground->tcp, P(&there), sizeof(there));
    ADD("connect a local one", RESPONDER, connect, ground->datagram, P(&local), sizeof(local));
    ADD("bind", RESPONDER, bind, ground->tcp, P(&there), sizeof(there));
    ADD("listen", BOTH, listen, ground->bound, 1);
    ADD("accept", BOTH, accept, -1, 0, 0);
    ADD("getpeername", RESPONDER, getpeername, ground->tcp, page, P(ground->page));
    ADD("getsockopt", RESPONDER, getsockopt, ground->tcp, SOL_SOCKET, SO_TYPE, page, page);
    ADD("sendto another", RESPONDER, sendto, ground->datagram, page, 1, MSG_DONTWAIT, P(&local),
        sizeof(local));
    ADD("sendto MSG_FASTOPEN", RESPONDER, sendto, ground->tcp, page, 1, MSG_FASTOPEN | MSG_NOSIGNAL,
        0, 0);
    ADD("sendmsg MSG_FASTOPEN", RESPONDER, sendmsg, ground->tcp, P(&to_there),
        MSG_FASTOPEN | MSG_NOSIGNAL);
    ADD("sendmsg MSG_FASTOPEN of a listener", RESPONDER, sendmsg, ground->shut, P(&to_there),
        MSG_FASTOPEN | MSG_NOSIGNAL);
    ADD("sendmsg MSG_OOB", RESPONDER, sendmsg, ground->datagram, P(&to_there), MSG_OOB);
    ADD("shutdown a listener", RESPONDER, shutdown, LINK_FD_LISTEN, SHUT_RD);
    ADD("shutdown the other listener", RESPONDER, shutdown, LINK_FD_LISTEN + 1, SHUT_RDWR);
#if __SIZEOF_LONG__ == 8
    ADD("shutdown a listener by a longer name", RESPONDER, shutdown, (1L << 32) + LINK_FD_LISTEN,
        SHUT_RD);
#endif
    ADD("fcntl F_DUPFD_CLOEXEC of a listener", RESPONDER, fcntl, LINK_FD_LISTEN, F_DUPFD_CLOEXEC,
        0);
    ADD("sendmmsg", BOTH, sendmmsg, ground->datagram, 0, 0, 0);
    ADD("recvmmsg", BOTH, recvmmsg, ground->datagram, 0, 0, MSG_DONTWAIT, 0);
    ADD("setsockopt SO_MARK", RESPONDER, setsockopt, ground->tcp, SOL_SOCKET, SO_MARK, P(&one),
        sizeof(one));
    ADD("setsockopt SO_REUSEPORT", RESPONDER, setsockopt, ground->tcp, SOL_SOCKET, SO_REUSEPORT,
        P(&one), sizeof(one));
    ADD("setsockopt SO_ATTACH_FILTER", RESPONDER, setsockopt, ground->tcp, SOL_SOCKET,
        SO_ATTACH_FILTER, P(&one), sizeof(one));
    ADD("setsockopt TCP_REPAIR", RESPONDER, setsockopt, ground->tcp, IPPROTO_TCP, TCP_REPAIR,
        P(&one), sizeof(one));
    ADD("setsockopt IP_TRANSPARENT", RESPONDER, setsockopt, ground->tcp, IPPROTO_IP, IP_TRANSPARENT,
        P(&one), sizeof(one));

    /* processes */
    ADD("fork", RESPONDER | OR_ASAN, clone, SIGCHLD, 0, 0, 0, 0);
    ADD("a thread", BOTH | OR_ASAN, clone, CLONE_VM | CLONE_THREAD, 0, 0, 0, 0);
    ADD("fork into a user namespace", BOTH | OR_ASAN, clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);
    ADD("fork as the parent's child", BOTH | OR_ASAN, clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0);
    ADD("clone3", BOTH, clone3, 0, 0);
#ifdef SYS_fork
    ADD("the old fork", BOTH, fork, 0);
    list[count++] = (struct jump){"vfork", BOTH, VFORK, {0}};
    ADD("the old open", RESPONDER | OR_ASAN, open, P(passwd), O_RDONLY);
    ADD("the old open to write", BOTH | OR_ASAN, open, P(nowhere), O_WRONLY);
    ADD("creat", BOTH, creat, P(nowhere), 0600);
    ADD("pipe", BOTH, pipe, page);
    ADD("alarm", BOTH, alarm, 0);
    ADD("getrlimit", RESPONDER | OR_ASAN, getrlimit, RLIMIT_CORE, P(&limit));
    ADD("arch_prctl", RESPONDER, arch_prctl, 0x1003, page); /* ARCH_GET_FS */
    ADD("iopl", BOTH, iopl, 0);
    ADD("modify_ldt", BOTH, modify_ldt, 0, 0, 0);
#endif
    ADD("execve", RESPONDER, execve, P(program), P(arguments), P(&arguments[1]));
    ADD("execveat", BOTH, execveat, ground->program, P(empty), P(arguments), P(&arguments[1]),
        AT_EMPTY_PATH);
    ADD("wait4", BOTH | OR_ASAN, wait4, -1, 0, WNOHANG, 0);
    ADD("waitid", RESPONDER, waitid, P_ALL, 0, 0, WEXITED | WNOHANG, 0);
    ADD("kill", BOTH, kill, parent, 0);
    ADD("tkill", BOTH, tkill, parent, 0);
    ADD("tgkill", BOTH | OR_ASAN, tgkill, parent, parent, 0);
    ADD("tgkill of another", RESPONDER | OR_ASAN, tgkill, INT32_MAX, INT32_MAX, SIGABRT);
    ADD("rt_sigqueueinfo", BOTH, rt_sigqueueinfo, parent, 0, 0);
    ADD("rt_sigaction", RESPONDER | OR_ASAN, rt_sigaction, SIGSYS, 0, 0, 8);
    ADD("setitimer", RESPONDER, setitimer, ITIMER_REAL, 0, 0);
    ADD("setitimer of another kind", BOTH, setitimer, ITIMER_VIRTUAL, 0, 0);
    ADD("pidfd_open", RESPONDER, pidfd_open, parent, 0);
    ADD("pidfd_send_signal", BOTH, pidfd_send_signal, -1, 0, 0, 0);
    ADD("pidfd_getfd", BOTH, pidfd_getfd, -1, 0, 0);
    ADD("ptrace", BOTH | OR_ASAN, ptrace, PTRACE_TRACEME, 0, 0, 0);
    ADD("ptrace of another", BOTH | OR_ASAN, ptrace, PTRACE_ATTACH, INT32_MAX, 0, 0);
    ADD("process_vm_readv", BOTH, process_vm_readv, INT32_MAX, P(&part), 1, P(&part), 1, 0);
    ADD("process_vm_writev", BOTH, process_vm_writev, INT32_MAX, P(&part), 1, P(&part), 1, 0);
    ADD("process_madvise", BOTH, process_madvise, -1, 0, 0, 0, 0);
    ADD("kcmp", BOTH, kcmp, parent, parent, 0, 0, 0);
    ADD("setsid", RESPONDER, setsid, 0);
    ADD("setpgid", BOTH, setpgid, 0, 0);
    ADD("setpriority", BOTH, setpriority, PRIO_PROCESS, 0, 0);
    ADD("sched_setaffinity", BOTH, sched_setaffinity, INT32_MAX, 0, 0);
    ADD("prctl", BOTH | OR_ASAN, prctl, PR_GET_TIMERSLACK, 0, 0, 0, 0);
    ADD("prctl PR_SET_MM", BOTH | OR_ASAN, prctl, PR_SET_MM, 0, 0, 0, 0);
    ADD("prctl PR_SET_NAME", BOTH | OR_ASAN, prctl, PR_SET_NAME, P(empty), 0, 0, 0);
    ADD("prctl PR_SET_KEEPCAPS", BOTH | OR_ASAN, prctl, PR_SET_KEEPCAPS, 0, 0, 0, 0);
    ADD("prctl PR_SET_NO_NEW_PRIVS", RESPONDER | OR_ASAN, prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    ADD("personality", BOTH | OR_ASAN, personality, 0xffffffff);
    ADD("prlimit", RESPONDER | OR_ASAN, prlimit64, 0, RLIMIT_CORE, 0, P(&limit));
    ADD("prlimit of another", BOTH | OR_ASAN, prlimit64, parent, RLIMIT_CORE, 0, P(&limit));
    ADD("seccomp", RESPONDER, seccomp, 2, 0, 0);
    ADD("rseq", RESPONDER, rseq, 0, 0, 0, 0);

    /* accounts and privileges */
    ADD("setuid", BOTH, setuid, -1);
    ADD("setgid", BOTH, setgid, -1);
    ADD("setresuid", RESPONDER, setresuid, -1, -1, -1);
    ADD("setresgid", RESPONDER, setresgid, -1, -1, -1);
    ADD("setgroups", RESPONDER, setgroups, -1, 0);
    ADD("setfsuid", BOTH, setfsuid, -1);
    ADD("capset", RESPONDER, capset, 0, 0);
    ADD("capget", RESPONDER, capget, 0, 0);

    /* memory */
    ADD("mmap of code", BOTH, mmap, 0, PAGE, CODE, MEMORY, -1, 0);
    ADD("mmap of code to write", BOTH, mmap, 0, PAGE, CODE | PROT_WRITE, MEMORY, -1, 0);
    ADD("mmap of a program", RESPONDER, mmap, 0, PAGE, CODE, MAP_PRIVATE, ground->program, 0);
    ADD("mmap of a program to write", BOTH, mmap, 0, PAGE, CODE | PROT_WRITE, MAP_PRIVATE,
        ground->program, 0);
    ADD("mmap of a shared program", BOTH, mmap, 0, PAGE, CODE, MAP_SHARED, ground->program, 0);
    ADD("mmap of a file", RESPONDER | OR_ASAN, mmap, 0, PAGE, PROT_READ, MAP_PRIVATE,
        ground->program, 0);
    ADD("mmap of shared memory", RESPONDER | OR_ASAN, mmap, 0, PAGE, DATA,
        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ADD("mprotect", BOTH, mprotect, page, PAGE, CODE);
    ADD("pkey_mprotect", BOTH, pkey_mprotect, page, PAGE, CODE, -1);
    ADD("madvise", RESPONDER | OR_ASAN, madvise, page, PAGE, MADV_DOFORK);
    ADD("mlock", BOTH, mlock, page, 0);
    ADD("remap_file_pages", BOTH, remap_file_pages, page, 0, 0, 0, 0);
    ADD("memfd_create", BOTH, memfd_create, P(empty), 0);
    ADD("userfaultfd", BOTH, userfaultfd, -1);
    ADD("shmget", BOTH, shmget, -1, 0, 0);

    /* the system */
    ADD("unshare", BOTH, unshare, 0);
    ADD("setns", BOTH, setns, -1, 0);
    ADD("mount", BOTH, mount, P(nowhere), P(nowhere), P(empty), 0, 0);
    ADD("umount", BOTH, umount2, P(nowhere), 0);
    ADD("pivot_root", BOTH, pivot_root, P(nowhere), P(nowhere));
    ADD("open_tree", BOTH, open_tree, AT_FDCWD, P(nowhere), 0);
    ADD("move_mount", BOTH, move_mount, -1, 0, -1, 0, 0);
    ADD("fsopen", BOTH, fsopen, P(empty), 0);
    ADD("bpf", BOTH, bpf, -1, 0, 0);
    ADD("perf_event_open", BOTH, perf_event_open, 0, 0, 0, 0, 0);
    ADD("io_uring_setup", BOTH, io_uring_setup, 0, 0);
    ADD("io_setup", BOTH, io_setup, 0, 0);
    ADD("add_key", BOTH, add_key, 0, 0, 0, 0, 0);
    ADD("keyctl", BOTH, keyctl, -1, 0, 0, 0, 0);
    ADD("init_module", BOTH, finit_module, -1, 0, 0);
    ADD("kexec_load", BOTH, kexec_load, 0, 0, 0, -1);
    ADD("reboot", BOTH, reboot, 0, 0, 0, 0);
    ADD("syslog", BOTH, syslog, -1, 0, 0);
    ADD("sethostname", BOTH, sethostname, 0, -1);
    ADD("clock_settime", BOTH, clock_settime, -1, 0);
    ADD("swapon", BOTH, swapon, P(nowhere), 0);
    ADD("quotactl", BOTH, quotactl, 0, 0, 0, 0);
    ADD("uname", BOTH | OR_ASAN, uname, page);
    ADD("nanosleep", BOTH, nanosleep, 0, 0);
    ADD("mq_open", BOTH, mq_open, 0, 0, 0, 0);

    /* other architectures */
#if defined(__x86_64__)
    list[count++] = (struct jump){"getpid of x32", BOTH, 0x40000000 | SYS_getpid, {0}};
    list[count++] = (struct jump){"getpid of i386", BOTH | JUMP_MODE_32, MODE_32, {0}};
#endif
    assert_true(count <= ROOM);
    forbid_to_ledger(list, count);
    *out = list;
    return count;
#undef ADD
#undef P
}

static long call_of_32_bit(void)
{
    long result = 0;
#if defined(__x86_64__)
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(20) : "memory", "r8", "r9", "r10", "r11");
#endif
    return result;
}

/* The child is in its parent's memory, and must not return from here. */
static void call_vfork(void)
{
    if (vfork() == 0)
        _exit(0);
}

/* In the child: whatever it returns, in whichever process, is a life. */
static int make(void *context)
{
    const struct jump *jump = context;
    const long *argument = jump->arguments;

    if (jump->number == MODE_32)
        (void)call_of_32_bit();
    else if (jump->number == VFORK)
        call_vfork();
    else
        (void)syscall(jump->number, argument[0], argument[1], argument[2], argument[3], argument[4],
                      argument[5]);
    return 0;
}

int jump_run(int (*function)(void *context), void *context, int (*fence)(struct error *error))
{
    const struct rlimit no_core = {0, 0};
    int status = -1;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        struct error error;
        if (setrlimit(RLIMIT_CORE, &no_core) != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
            _exit(126);
        if (fence != NULL && fence(&error) < 0) {
            dprintf(STDERR_FILENO, "%s\n", error.text);
            _exit(125);
        }
        _exit(function(context));
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

int jump_try(const struct jump *jump, int (*fence)(struct error *error))
{
    return jump_run(make, (void *)(uintptr_t)jump, fence);
}

static bool died_of(int status, int number)
{
    return WIFSIGNALED(status) && WTERMSIG(status) == number;
}

void jump_all(unsigned int flag, int (*fence)(struct error *error))
{
    struct jump_ground ground;
    const struct jump *list;
    unsigned int wrong = 0, tried = 0;

    jump_ground_make(&ground);
    size_t count = jump_list(&ground, &list);
    for (size_t i = 0; i < count; i++) {
        const struct jump *jump = &list[i];
        if ((jump->flags & flag) == 0 || (SANITIZER && (jump->flags & JUMP_SANITIZER) != 0))
            continue;
        tried++;
        int free = jump_try(jump, NULL);
        int fenced = jump_try(jump, fence);
        /* A kernel that does not run 32-bit programs ends whoever tries, by another signal. */
        bool no_such_gate = (jump->flags & JUMP_MODE_32) != 0 && WIFSIGNALED(free);
        if (died_of(free, SIGSYS) || (!died_of(fenced, SIGSYS) && !no_such_gate)) {
            print_error("%s: status %#x without the fence, %#x with it\n", jump->name,
                        (unsigned int)free, (unsigned int)fenced);
            wrong++;
        }
    }
    jump_ground_close(&ground);
    assert_true(tried > 50);
    assert_int_equal(wrong, 0);
}
