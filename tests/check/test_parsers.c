// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "check/records.h"
#include "check/sockets.h"

/* An alias, then the address of what it stands for. */
static const uint8_t answer[] = "\x12\x34\x81\x80\x00\x01\x00\x02\x00\x00\x00\x00\x03www\x07"
                                "example\x03org\x00\x00\x01\x00\x01"
                                "\xc0\x0c\x00\x05\x00\x01\x00\x00\x00\x3c\x00\x04\x01z\xc0\x10"
                                "\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\xc0\x00\x02\x01";
#define ANSWER_BYTES (sizeof(answer) - 1)

static void test_records(void **state)
{
    static const uint8_t address[] = {192, 0, 2, 1};
    struct records records = {0};

    (void)state;
    assert_true(records_parse(&records, answer, ANSWER_BYTES, 1));
    assert_int_equal(records.count, 1);
    assert_memory_equal(records.addresses[0], address, sizeof(address));
    records = (struct records){0};
    assert_true(records_parse(&records, answer, ANSWER_BYTES, 28));
    assert_int_equal(records.count, 0);
}

static void test_cut_records(void **state)
{
    (void)state;
    for (size_t length = 0; length < ANSWER_BYTES; length++) {
        struct records records = {0};

        assert_false(records_parse(&records, answer, length, 1));
    }
}

static void test_sockets(void **state)
{
    static const uint8_t local[] = {10, 99, 1, 80}, remote[] = {10, 99, 1, 101};
    struct socket_entry entry;

    (void)state;
    assert_false(socket_parse(&entry, "  sl  local_address rem_address   st", false));
    assert_true(socket_parse(&entry,
                             "   1: 5001630A:0050 6501630A:C350 01 00000000:00000000 "
                             "00:00000000 00000000     0        0 12345 1 0000000000000000 20",
                             false));
    assert_memory_equal(entry.local, local, sizeof(local));
    assert_memory_equal(entry.remote, remote, sizeof(remote));
    assert_int_equal(entry.local_port, 80);
    assert_int_equal(entry.remote_port, 50000);
    assert_int_equal(entry.state, 1);
    assert_int_equal(entry.inode, 12345);
    /* IPv4 that a socket of IPv6 speaks. */
    assert_true(socket_parse(&entry,
                             "   0: 0000000000000000FFFF00005001630A:0050 "
                             "0000000000000000FFFF00006501630A:C350 01 00000000:00000000 "
                             "00:00000000 00000000     0        0 7 1 0000000000000000 20",
                             true));
    assert_false(entry.ipv6);
    assert_memory_equal(entry.remote, remote, sizeof(remote));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_records),
        cmocka_unit_test(test_cut_records),
        cmocka_unit_test(test_sockets),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
