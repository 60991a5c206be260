// SPDX-License-Identifier: GPL-2.0-or-later
/* The list of this host's addresses: the same as the C library's, and never waited for for long. */
#include "keeper/addresses.h"

#include <errno.h>
#include <ifaddrs.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include <cmocka.h>

#include <linux/netlink.h>

#define ADDRESSES_MAX 4096

/* --- what the linker puts between the list and the kernel --- */

static bool deaf;         /* the kernel never hears the question */
static bool strange;      /* and somebody else answers, on and on */
static int interruptions; /* so many more answers say that the addresses have changed */
static int64_t skipped_ns;

ssize_t __real_send(int fd, const void *bytes, size_t length, int flags);
ssize_t __wrap_send(int fd, const void *bytes, size_t length, int flags);
ssize_t __real_recvfrom(int fd, void *bytes, size_t room, int flags, struct sockaddr *sender,
                        socklen_t *length);
ssize_t __wrap_recvfrom(int fd, void *bytes, size_t room, int flags, struct sockaddr *sender,
                        socklen_t *length);
int __real_poll(struct pollfd *items, nfds_t count, int timeout_ms);
int __wrap_poll(struct pollfd *items, nfds_t count, int timeout_ms);
int __real_clock_gettime(clockid_t clock, struct timespec *now);
int __wrap_clock_gettime(clockid_t clock, struct timespec *now);

ssize_t __wrap_send(int fd, const void *bytes, size_t length, int flags)
{
    return deaf ? (ssize_t)length : __real_send(fd, bytes, length, flags);
}

ssize_t __wrap_recvfrom(int fd, void *bytes, size_t room, int flags, struct sockaddr *sender,
                        socklen_t *length)
{
    struct nlmsghdr header;

    if (strange) {
        struct sockaddr_nl stranger = {.nl_family = AF_NETLINK, .nl_pid = 4711};

        memcpy(sender, &stranger, sizeof(stranger));
        *length = sizeof(stranger);
        return sizeof(header);
    }
    ssize_t got = __real_recvfrom(fd, bytes, room, flags, sender, length);
    if (got >= (ssize_t)sizeof(header) && interruptions > 0) {
        interruptions--;
        memcpy(&header, bytes, sizeof(header));
        header.nlmsg_flags |= NLM_F_DUMP_INTR;
        memcpy(bytes, &header, sizeof(header));
    }
    return got;
}

/* Without waiting. */
int __wrap_poll(struct pollfd *items, nfds_t count, int timeout_ms)
{
    if (!deaf)
        return __real_poll(items, count, timeout_ms);
    assert_in_range(timeout_ms, 1, ADDRESSES_DEADLINE_MS + 1);
    skipped_ns += strange ? 1000000 : (int64_t)timeout_ms * 1000000;
    return strange;
}

int __wrap_clock_gettime(clockid_t clock, struct timespec *now)
{
    int result = __real_clock_gettime(clock, now);

    now->tv_sec += skipped_ns / 1000000000;
    now->tv_nsec += skipped_ns % 1000000000;
    return result;
}

static int hear_everything(void **state)
{
    (void)state;
    deaf = strange = false;
    interruptions = 0;
    skipped_ns = 0;
    return 0;
}

/* --- */

struct list {
    struct host_address found[ADDRESSES_MAX];
    char interface[ADDRESSES_MAX][IF_NAMESIZE];
    size_t count, limit;
};

static struct list list;

static bool keep(const struct host_address *found, void *context)
{
    assert_ptr_equal(context, &list);
    assert_true(list.count < ADDRESSES_MAX);
    list.found[list.count] = *found;
    assert_true(strlen(found->interface) < IF_NAMESIZE);
    strcpy(list.interface[list.count++], found->interface);
    return list.count != list.limit;
}

static int ask(void)
{
    list.count = 0;
    return addresses_list(keep, &list);
}

static void test_as_the_c_library_has_it(void **state)
{
    struct ifaddrs *all;
    size_t i = 0;

    (void)state;
    assert_int_equal(ask(), 0);
    assert_int_equal(getifaddrs(&all), 0);
    for (const struct ifaddrs *one = all; one != NULL; one = one->ifa_next) {
        union address address = {0};

        if (one->ifa_addr == NULL || (one->ifa_flags & IFF_UP) == 0 ||
            (one->ifa_addr->sa_family != AF_INET && one->ifa_addr->sa_family != AF_INET6))
            continue;
        memcpy(&address, one->ifa_addr,
               one->ifa_addr->sa_family == AF_INET ? sizeof(address.v4) : sizeof(address.v6));
        assert_in_range(i, 0, list.count - 1);
        assert_memory_equal(&list.found[i].address, &address, sizeof(address));
        assert_int_equal(list.found[i].loopback, (one->ifa_flags & IFF_LOOPBACK) != 0);
        /* Without a label, which only IPv4 has. */
        assert_memory_equal(list.interface[i], one->ifa_name, strlen(list.interface[i]));
        i++;
    }
    freeifaddrs(all);
    assert_int_equal(i, list.count);
    assert_true(i > 0); /* the loopback address at least: else this has compared nothing */
}

static void test_who_has_enough_is_told_no_more(void **state)
{
    (void)state;
    list.limit = 1;
    assert_int_equal(ask(), 0);
    list.limit = 0;
    assert_int_equal(list.count, 1);
}

static void test_no_answer(void **state)
{
    (void)state;
    deaf = true;
    errno = 0;
    assert_int_equal(ask(), -1);
    assert_int_equal(errno, ETIMEDOUT);
    assert_int_equal(list.count, 0);
}

static void test_strangers_do_not_keep_it_waiting(void **state)
{
    (void)state;
    deaf = strange = true;
    errno = 0;
    assert_int_equal(ask(), -1);
    assert_int_equal(errno, ETIMEDOUT);
    assert_in_range(skipped_ns / 1000000, 1, ADDRESSES_DEADLINE_MS);
}

static void test_what_changes_is_read_once_more(void **state)
{
    (void)state;
    assert_int_equal(ask(), 0);
    size_t count = list.count;
    interruptions = 1;
    assert_int_equal(ask(), 0);
    assert_int_equal(interruptions, 0);
    assert_int_equal(list.count, count);
}

static void test_what_changes_all_the_time_is_told_as_it_is(void **state)
{
    (void)state;
    assert_int_equal(ask(), 0);
    size_t count = list.count;
    interruptions = 1000;
    assert_int_equal(ask(), 0);
    assert_in_range(interruptions, 1, 997);
    assert_int_equal(list.count, count);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_as_the_c_library_has_it, hear_everything),
        cmocka_unit_test_setup(test_who_has_enough_is_told_no_more, hear_everything),
        cmocka_unit_test_setup(test_no_answer, hear_everything),
        cmocka_unit_test_setup(test_strangers_do_not_keep_it_waiting, hear_everything),
        cmocka_unit_test_setup(test_what_changes_is_read_once_more, hear_everything),
        cmocka_unit_test_setup(test_what_changes_all_the_time_is_told_as_it_is, hear_everything),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
