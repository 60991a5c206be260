// SPDX-License-Identifier: GPL-2.0-or-later
/* What is said about every mistake, word by word: these lines are what a user has to go by. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "wicket/config.h"

static void test_mistakes(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t length; /* 0: strlen */
        const char *lines;
    } rows[] = {
        /* keys */
        {"colour: red", 0, "w.yaml:1:1: colour: unknown key"},
        {"responders:\n  port: 1", 0,
         "w.yaml:1:1: responders: unknown key; did you mean responder?"},
        {"responder:\n  prot: 8402", 0,
         "w.yaml:2:3: responder.prot: unknown key; did you mean responder.port?"},
        {"responder:\n  undecided-per-address: 4", 0,
         "w.yaml:2:3: responder.undecided-per-address: unknown key; did you mean "
         "responder.undecided_per_address?"},
        {"responder:\n  Port: 8402", 0,
         "w.yaml:2:3: responder.Port: unknown key; did you mean responder.port?"},
        {"window:\n  drian: 1m", 0,
         "w.yaml:2:3: window.drian: unknown key; did you mean window.drain?"},
        {"responder:\n  first-byte: 1s", 0,
         "w.yaml:2:3: responder.first-byte: unknown key; did you mean responder.first_byte?"},
        {"redirect:\n  webroot: /srv", 0,
         "w.yaml:2:3: redirect.webroot: unknown key; did you mean tokens.webroot?"},
        {"webroot: /srv", 0, "w.yaml:1:1: webroot: unknown key; did you mean tokens.webroot?"},
        {"port: 80", 0, "w.yaml:1:1: port: unknown key"},
        {"redirect.port: 80", 0,
         "w.yaml:1:1: redirect.port: unknown key: a dot stands for a section, with its keys below "
         "it, indented"},
        {"redirect:\n  methods: tproxy", 0,
         "w.yaml:2:3: redirect.methods: unknown key; did you mean redirect.method?"},
        {"redirect:\n  method: nat", 0,
         "w.yaml:2:11: redirect.method: must be redirect or tproxy, not \"nat\""},
        {"ledger:\n  file: ledger", 0,
         "w.yaml:2:9: ledger.file: \"ledger\" must be an absolute path, which begins with /"},
        {"ledger:\n  size: 0", 0,
         "w.yaml:2:9: ledger.size: 0 is out of range: must be a number from 1 to 1024"},
        /* chains */
        {"redirect:\n  admit: input", 0,
         "w.yaml:2:10: redirect.admit: must be a list of chains, such as "
         "[{family: inet, table: filter, chain: input}], not \"input\""},
        {"redirect:\n  admit: {family: inet, table: filter, chain: input}", 0,
         "w.yaml:2:10: redirect.admit: must be a list of chains, such as "
         "[{family: inet, table: filter, chain: input}], not a section"},
        {"redirect:\n  admit: [input]", 0,
         "w.yaml:2:11: redirect.admit: an entry must be a chain, such as "
         "{family: inet, table: filter, chain: input}"},
        {"redirect:\n  admit: [[{family: ip}], {family: arp, table: f, chain: i}]", 0,
         "w.yaml:2:11: redirect.admit: an entry must be a chain, such as "
         "{family: inet, table: filter, chain: input}\n"
         "w.yaml:2:36: redirect.admit: the family must be inet, ip or ip6, not \"arp\""},
        {"redirect:\n  admit: [{family: inet, table: wicket, chain: input}]", 0,
         "w.yaml:2:11: redirect.admit: inet wicket is the table of acme-wicket itself: name a "
         "chain "
         "of the firewall"},
        {"redirect:\n  admit: [{family: ip, table: filter}]", 0,
         "w.yaml:2:11: redirect.admit: the chain has no chain"},
        {"redirect:\n  admit: [{}]", 0, "w.yaml:2:11: redirect.admit: the chain has no family"},
        {"redirect:\n  admit: [{family: ip, family: ip, table: filter, chain: INPUT}]", 0,
         "w.yaml:2:24: redirect.admit: family is repeated"},
        {"redirect:\n  admit: [{family: ip, table: filter, hook: [a], chain: INPUT}]", 0,
         "w.yaml:2:39: redirect.admit: a chain has a family, a table and a chain, and no \"hook\""},
        {"redirect:\n  admit: [{family: ip, [x]: y, table: [filter], chain: ''}]", 0,
         "w.yaml:2:24: redirect.admit: a chain has a family, a table and a chain, each with its "
         "name\n"
         "w.yaml:2:39: redirect.admit: the table must be a text\n"
         "w.yaml:2:56: redirect.admit: the name of a table or chain is empty"},
        {"redirect:\n  admit: [{family: ip, table: 'a b', chain: 'x;y'}]", 0,
         "w.yaml:2:31: redirect.admit: \"a b\" is no name of a table or chain\n"
         "w.yaml:2:45: redirect.admit: \"x;y\" is no name of a table or chain"},
        {"redirect:\n  admit:\n"
         "    - {family: ip, table: f, chain: i}\n    - {chain: i, table: f, family: ip}",
         0, "w.yaml:4:7: redirect.admit: ip f i is listed twice"},
        {"redirect:\n  admit: [{family: ip, table: f, chain: i}]\n  method: tproxy", 0,
         "w.yaml:3:11: redirect.method: with tproxy the host's own rules for port 80 go on "
         "judging: "
         "leave redirect.admit out"},
        {"other_requests: pass\nredirect:\n  admit: [{family: ip, table: f, chain: i}]", 0,
         "w.yaml:3:10: redirect.admit: pass with redirect.admit lets those reach production whom "
         "the host's own rules keep from port 80: set redirect.pass_admitted: true if that is "
         "meant, or other_requests: not-found"},
        {"window:\n  a\x1b[31m: 1", 0, "w.yaml:2:4: byte 0x1b is a control character"},
        {"'': 1", 0, "w.yaml:1:1: \"\": unknown key"},
        {"window:\n  limit: 2h\n  lease: 5s\n  limit: 3h", 0,
         "w.yaml:4:3: window.limit: repeated: it is on line 2 already"},
        {"window:\n  limit: 2h\nwindow:\n  lease: 5s", 0,
         "w.yaml:3:1: window: repeated: it is on line 1 already"},
        {"other_requests: https\nother_requests: https", 0,
         "w.yaml:2:1: other_requests: repeated: it is on line 1 already"},
        {"[responder]: 1", 0, "w.yaml:1:1: a key must be a name, not a list"},
        {"? {a: b}\n: 1", 0, "w.yaml:1:3: a key must be a name, not a section"},
        {"window:\n  [lease]: 5s", 0, "w.yaml:2:3: window: a key must be a name, not a list"},
        /* sections */
        {"responder: 8402", 0,
         "w.yaml:1:12: responder: must be a section: its keys go below it, indented"},
        {"responder: [port, 8402]", 0,
         "w.yaml:1:12: responder: must be a section, not a list: its keys go below it, indented"},
        {"other_requests:\n  - https", 0,
         "w.yaml:2:3: other_requests: must be pass, not-found or https, not a list"},
        {"- responder", 0,
         "w.yaml:1:1: no configuration: it is made of lines such as \"key: value\""},
        {"just words", 0,
         "w.yaml:1:1: no configuration: it is made of lines such as \"key: value\""},
        /* numbers */
        {"responder:\n  port: 0", 0,
         "w.yaml:2:9: responder.port: 0 is out of range: must be a number from 1 to 65535"},
        {"responder:\n  port: 65536", 0,
         "w.yaml:2:9: responder.port: 65536 is out of range: must be a number from 1 to 65535"},
        {"responder:\n  port: 90000", 0,
         "w.yaml:2:9: responder.port: 90000 is out of range: must be a number from 1 to 65535"},
        {"responder:\n  port: 99999999999999999999", 0,
         "w.yaml:2:9: responder.port: 99999999999999999999 is out of range: must be a number from "
         "1 to 65535"},
        {"responder:\n  port: 999999999999999999999999", 0,
         "w.yaml:2:9: responder.port: must be a number from 1 to 65535, not "
         "\"999999999999999999999999\""},
        {"responder:\n  port: -1", 0,
         "w.yaml:2:9: responder.port: must be a number from 1 to 65535, not \"-1\""},
        {"responder:\n  port: +80", 0,
         "w.yaml:2:9: responder.port: must be a number from 1 to 65535, not \"+80\""},
        {"responder:\n  port: 80.0", 0,
         "w.yaml:2:9: responder.port: must be a number from 1 to 65535, not \"80.0\""},
        {"responder:\n  port: 08402", 0,
         "w.yaml:2:9: responder.port: must be a number from 1 to 65535, not \"08402\""},
        {"responder:\n  port: 0x50", 0,
         "w.yaml:2:9: responder.port: must be a number from 1 to 65535, not \"0x50\""},
        {"responder:\n  port: 1_000", 0,
         "w.yaml:2:9: responder.port: must be a number from 1 to 65535, not \"1_000\""},
        {"responder:\n  port: 8 402", 0,
         "w.yaml:2:9: responder.port: must be a number from 1 to 65535, not \"8 402\""},
        {"responder:\n  port: http", 0,
         "w.yaml:2:9: responder.port: must be a number from 1 to 65535, not \"http\""},
        {"responder:\n  port: \"8402\"", 0,
         "w.yaml:2:9: responder.port: must be a number from 1 to 65535, not the text \"8402\": "
         "write it without quotes"},
        {"responder:\n  port: '8402'", 0,
         "w.yaml:2:9: responder.port: must be a number from 1 to 65535, not the text \"8402\": "
         "write it without quotes"},
        {"responder:\n  port: |\n    8402", 0,
         "w.yaml:2:9: responder.port: must be a number from 1 to 65535, not the text \"8402\": "
         "write it without quotes"},
        {"responder:\n  port:", 0,
         "w.yaml:2:3: responder.port: is empty: must be a number from 1 to 65535; leave the key "
         "out for the default, 8402"},
        {"responder:\n  port: ~", 0,
         "w.yaml:2:9: responder.port: is empty: must be a number from 1 to 65535; leave the key "
         "out for the default, 8402"},
        {"responder:\n  port: null", 0,
         "w.yaml:2:9: responder.port: is empty: must be a number from 1 to 65535; leave the key "
         "out for the default, 8402"},
        {"responder:\n  port: [8402]", 0,
         "w.yaml:2:9: responder.port: must be a number from 1 to 65535, not a list"},
        {"responder:\n  port: {a: 1}", 0,
         "w.yaml:2:9: responder.port: must be a number from 1 to 65535, not a section"},
        {"responder:\n  undecided: 15", 0,
         "w.yaml:2:14: responder.undecided: 15 is out of range: must be a number from 16 to 65536"},
        {"responder:\n  undecided: 65537", 0,
         "w.yaml:2:14: responder.undecided: 65537 is out of range: must be a number from 16 to "
         "65536"},
        {"responder:\n  undecided_per_address: 0", 0,
         "w.yaml:2:26: responder.undecided_per_address: 0 is out of range: must be a number from 1 "
         "to 65536"},
        /* lengths of time */
        {"window:\n  lease: 5", 0,
         "w.yaml:2:10: window.lease: must be a length of time from 1s to 1m (a number and ms, s, m "
         "or h), not \"5\""},
        {"window:\n  lease: 999ms", 0,
         "w.yaml:2:10: window.lease: 999ms is out of range: must be a length of time from 1s to 1m "
         "(a number and ms, s, m or h)"},
        {"window:\n  lease: 61s", 0,
         "w.yaml:2:10: window.lease: 61s is out of range: must be a length of time from 1s to 1m "
         "(a number and ms, s, m or h)"},
        {"window:\n  lease: 5 s", 0,
         "w.yaml:2:10: window.lease: must be a length of time from 1s to 1m (a number and ms, s, m "
         "or h), not \"5 s\""},
        {"window:\n  lease: 1m30s", 0,
         "w.yaml:2:10: window.lease: must be a length of time from 1s to 1m (a number and ms, s, m "
         "or h), not \"1m30s\""},
        {"window:\n  lease: \"5s \"", 0,
         "w.yaml:2:10: window.lease: must be a length of time from 1s to 1m (a number and ms, s, m "
         "or h), not \"5s \""},
        {"window:\n  lease: 1d", 0,
         "w.yaml:2:10: window.lease: must be a length of time from 1s to 1m (a number and ms, s, m "
         "or h), not \"1d\""},
        {"window:\n  lease:", 0,
         "w.yaml:2:3: window.lease: is empty: must be a length of time from 1s to 1m (a number and "
         "ms, s, m or h); leave the key out for the default, 5s"},
        {"window:\n  limit: 25h", 0,
         "w.yaml:2:10: window.limit: 25h is out of range: must be a length of time from 1s to 24h "
         "(a number and ms, s, m or h)"},
        {"window:\n  token_lifetime: 0s", 0,
         "w.yaml:2:19: window.token_lifetime: 0s is out of range: must be a length of time from 1s "
         "to 24h (a number and ms, s, m or h)"},
        {"window:\n  drain: 999ms", 0,
         "w.yaml:2:10: window.drain: 999ms is out of range: must be a length of time from 1s to "
         "24h "
         "(a number and ms, s, m or h)"},
        {"window:\n  drain: 25h", 0,
         "w.yaml:2:10: window.drain: 25h is out of range: must be a length of time from 1s to 24h "
         "(a number and ms, s, m or h)"},
        {"window:\n  drain: never", 0,
         "w.yaml:2:10: window.drain: must be a length of time from 1s to 24h (a number and ms, s, "
         "m or h), not \"never\""},
        {"responder:\n  first_byte: 99ms", 0,
         "w.yaml:2:15: responder.first_byte: 99ms is out of range: must be a length of time from "
         "100ms to 10s (a number and ms, s, m or h)"},
        {"responder:\n  first_byte: 11s", 0,
         "w.yaml:2:15: responder.first_byte: 11s is out of range: must be a length of time from "
         "100ms to 10s (a number and ms, s, m or h)"},
        {"responder:\n  first_byte:", 0,
         "w.yaml:2:3: responder.first_byte: is empty: must be a length of time from 100ms to 10s "
         "(a number and ms, s, m or h); leave the key out for the default, 1s"},
        {"responder:\n  deadline: 2m", 0,
         "w.yaml:2:13: responder.deadline: 2m is out of range: must be a length of time from 1s to "
         "1m (a number and ms, s, m or h)"},
        /* true and false */
        {"redirect:\n  local: yes", 0,
         "w.yaml:2:10: redirect.local: must be true or false, not \"yes\""},
        {"redirect:\n  local: True", 0,
         "w.yaml:2:10: redirect.local: must be true or false, not \"True\""},
        {"redirect:\n  local: \"true\"", 0,
         "w.yaml:2:10: redirect.local: must be true or false, not the text \"true\": write it "
         "without quotes"},
        {"redirect:\n  local: 1", 0,
         "w.yaml:2:10: redirect.local: must be true or false, not \"1\""},
        {"redirect:\n  local:", 0,
         "w.yaml:2:3: redirect.local: is empty: must be true or false; leave the key out for the "
         "default, false"},
        /* choices */
        {"other_requests: forward", 0,
         "w.yaml:1:17: other_requests: must be pass, not-found or https, not \"forward\""},
        {"other_requests: passed", 0,
         "w.yaml:1:17: other_requests: must be pass, not-found or https, not \"passed\""},
        {"other_requests: Not-Found", 0,
         "w.yaml:1:17: other_requests: must be pass, not-found or https, not \"Not-Found\""},
        {"other_requests:", 0,
         "w.yaml:1:1: other_requests: is empty: must be pass, not-found or https; leave the key "
         "out for the default, pass"},
        {"other_requests: 404", 0,
         "w.yaml:1:17: other_requests: must be pass, not-found or https, not \"404\""},
        /* names */
        {"responder:\n  user: \"\"", 0, "w.yaml:2:9: responder.user: is empty: must be a name"},
        {"responder:\n  user: 1000", 0,
         "w.yaml:2:9: responder.user: must be a name, not the number 1000"},
        {"responder:\n  user: two words", 0,
         "w.yaml:2:9: responder.user: \"two words\" is no name of a user or group"},
        {"responder:\n  user: -wicket", 0,
         "w.yaml:2:9: responder.user: \"-wicket\" is no name of a user or group"},
        {"responder:\n  user: a:b", 0,
         "w.yaml:2:9: responder.user: \"a:b\" is no name of a user or group"},
        {"responder:\n  user: \"wick\\0et\"", 0,
         "w.yaml:2:9: responder.user: \"wick\\x00et\" is no name of a user or group"},
        {"responder:\n  user: abcdefghijklmnopqrstuvwxyz012345", 0,
         "w.yaml:2:9: responder.user: \"abcdefghijklmnopqrstuvwxyz012345\" is too long: a name has "
         "at most 31 characters"},
        {"control:\n  group: www/data", 0,
         "w.yaml:2:10: control.group: \"www/data\" is no name of a user or group"},
        {"control:\n  group: gr\xc3\xbcn", 0,
         "w.yaml:2:10: control.group: \"gr\\xc3\\xbcn\" is no name of a user or group"},
        /* paths */
        {"tokens:\n  webroot: webroot", 0,
         "w.yaml:2:12: tokens.webroot: \"webroot\" must be an absolute path, which begins with /"},
        {"tokens:\n  webroot: /", 0,
         "w.yaml:2:12: tokens.webroot: \"/\" must be written without \"//\", \".\", \"..\" and a "
         "\"/\" at the end"},
        {"tokens:\n  webroot: /srv/", 0,
         "w.yaml:2:12: tokens.webroot: \"/srv/\" must be written without \"//\", \".\", \"..\" and "
         "a \"/\" at the end"},
        {"tokens:\n  webroot: /srv//www", 0,
         "w.yaml:2:12: tokens.webroot: \"/srv//www\" must be written without \"//\", \".\", \"..\" "
         "and a \"/\" at the end"},
        {"tokens:\n  webroot: /srv/./www", 0,
         "w.yaml:2:12: tokens.webroot: \"/srv/./www\" must be written without \"//\", \".\", "
         "\"..\" and a \"/\" at the end"},
        {"tokens:\n  webroot: /srv/../www", 0,
         "w.yaml:2:12: tokens.webroot: \"/srv/../www\" must be written without \"//\", \".\", "
         "\"..\" and a \"/\" at the end"},
        {"tokens:\n  webroot: \"/srv\\n/www\"", 0,
         "w.yaml:2:12: tokens.webroot: \"/srv\\x0a/www\" has a control character"},
        {"tokens:\n  webroot: \"/srv\\0/www\"", 0,
         "w.yaml:2:12: tokens.webroot: \"/srv\\x00/www\" has a control character"},
        {"tokens:\n  webroot: \"\"", 0,
         "w.yaml:2:12: tokens.webroot: is empty: must be an absolute path"},
        {"control:\n  socket: @control", 0,
         "w.yaml:2:11: not YAML: found character that cannot start any token"},
        {"control:\n  socket: ~/socket", 0,
         "w.yaml:2:11: control.socket: \"~/socket\" must be an absolute path, which begins with /"},
        /* lists */
        {"redirect:\n  interfaces: eth0", 0,
         "w.yaml:2:15: redirect.interfaces: must be a list of interface names, such as [eth0, "
         "eth1], not \"eth0\""},
        {"redirect:\n  interfaces:", 0,
         "w.yaml:2:3: redirect.interfaces: is empty: must be a list of interface names, such as "
         "[eth0, eth1]; leave the key out for the default, []"},
        {"redirect:\n  interfaces: [\"\"]", 0,
         "w.yaml:2:16: redirect.interfaces: an interface name is empty"},
        {"redirect:\n  interfaces: [eth0, eth1, eth0]", 0,
         "w.yaml:2:28: redirect.interfaces: \"eth0\" is listed twice"},
        {"redirect:\n  interfaces: [abcdefghijklmnop]", 0,
         "w.yaml:2:16: redirect.interfaces: \"abcdefghijklmnop\" is too long: an interface name "
         "has at most 15 characters"},
        {"redirect:\n  interfaces: [eth/0]", 0,
         "w.yaml:2:16: redirect.interfaces: \"eth/0\" is no interface name"},
        {"redirect:\n  interfaces: [\"eth 0\"]", 0,
         "w.yaml:2:16: redirect.interfaces: \"eth 0\" is no interface name"},
        {"redirect:\n  interfaces: [\"..\"]", 0,
         "w.yaml:2:16: redirect.interfaces: \"..\" is no interface name"},
        {"redirect:\n  interfaces: [~]", 0, "w.yaml:2:16: redirect.interfaces: an entry is empty"},
        {"redirect:\n  interfaces: [eth0, [eth1]]", 0,
         "w.yaml:2:22: redirect.interfaces: an entry must be a text, not a list; are quotes "
         "missing?"},
        {"redirect:\n  interfaces:\n    - eth0\n    -", 0,
         "w.yaml:4:6: redirect.interfaces: an entry is empty"},
        {"redirect:\n  interfaces:\n    eth0: true", 0,
         "w.yaml:3:5: redirect.interfaces: must be a list of interface names, such as [eth0, "
         "eth1], not a section"},
        {"redirect:\n  addresses: 192.0.2.1", 0,
         "w.yaml:2:14: redirect.addresses: must be a list of IP addresses, such as [192.0.2.1, "
         "'2001:db8::1'], not \"192.0.2.1\""},
        {"redirect:\n  addresses: [192.0.2.1/24]", 0,
         "w.yaml:2:15: redirect.addresses: \"192.0.2.1/24\" has a prefix: single addresses only"},
        {"redirect:\n  addresses: [0.0.0.0]", 0,
         "w.yaml:2:15: redirect.addresses: \"0.0.0.0\" is not the address of a host: leave the "
         "list empty for all addresses"},
        {"redirect:\n  addresses: ['::']", 0,
         "w.yaml:2:15: redirect.addresses: \"::\" is not the address of a host: leave the list "
         "empty for all addresses"},
        {"redirect:\n  addresses: [224.0.0.1]", 0,
         "w.yaml:2:15: redirect.addresses: \"224.0.0.1\" is not the address of a host"},
        {"redirect:\n  addresses: [ff02::1]", 0,
         "w.yaml:2:15: redirect.addresses: \"ff02::1\" is not the address of a host"},
        {"redirect:\n  addresses: [example.org]", 0,
         "w.yaml:2:15: redirect.addresses: \"example.org\" is no IPv4 or IPv6 address"},
        {"redirect:\n  addresses: [2001:db8::1, 192.0.2.1, '2001:db8:0::1']", 0,
         "w.yaml:2:39: redirect.addresses: \"2001:db8:0::1\" is listed twice"},
        {"redirect:\n  addresses: [\"192.0.2.1\\0\"]", 0,
         "w.yaml:2:15: redirect.addresses: \"192.0.2.1\\x00\" has a NUL"},
        {"redirect:\n  sources: [192.0.2.7/24]", 0,
         "w.yaml:2:13: redirect.sources: \"192.0.2.7/24\" is not a network, since bits behind the "
         "prefix are set: 192.0.2.0/24 is"},
        {"redirect:\n  sources: [2001:db8::1/32]", 0,
         "w.yaml:2:13: redirect.sources: \"2001:db8::1/32\" is not a network, since bits behind "
         "the prefix are set: 2001:db8::/32 is"},
        {"redirect:\n  sources: [192.0.2.0/33]", 0,
         "w.yaml:2:13: redirect.sources: \"192.0.2.0/33\": the prefix must be a number from 0 to "
         "32"},
        {"redirect:\n  sources: [192.0.2]", 0,
         "w.yaml:2:13: redirect.sources: \"192.0.2\" is no IPv4 or IPv6 address or network"},
        {"redirect:\n  sources: [10.0.0.0/8, 10.1.0.0/16]", 0,
         "w.yaml:2:25: redirect.sources: \"10.1.0.0/16\" is part of 10.0.0.0/8, which is listed "
         "too"},
        {"redirect:\n  sources: [10.1.0.0/16, 10.0.0.0/8]", 0,
         "w.yaml:2:26: redirect.sources: \"10.0.0.0/8\" contains 10.1.0.0/16, which is listed too"},
        {"redirect:\n  sources: [10.0.0.0/8, 10.0.0.0/8]", 0,
         "w.yaml:2:25: redirect.sources: \"10.0.0.0/8\" is listed twice"},
        {"redirect:\n  sources: ['::ffff:192.0.2.1']", 0,
         "w.yaml:2:13: redirect.sources: \"::ffff:192.0.2.1\" is an IPv4 address in IPv6 form: "
         "write it as IPv4"},
        {"redirect:\n  sources: [::1]", 0,
         "w.yaml:2:13: not YAML: did not find expected node content (an IPv6 address in [ ] needs "
         "quotes)"},
        {"redirect:\n  sources: [2001:db8::]", 0,
         "w.yaml:2:22: not YAML: found unexpected ':' (an IPv6 address in [ ] needs quotes)"},
        {"redirect:\n  sources:\n    - 2001:db8::", 0,
         "w.yaml:3:7: redirect.sources: an entry must be a text, not a section; are quotes "
         "missing?"},
        {"tokens:\n  accounts: NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs", 0,
         "w.yaml:2:13: tokens.accounts: must be a list of account thumbprints, of 43 characters "
         "each, not \"NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs\""},
        {"tokens:\n  accounts: [NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9X]", 0,
         "w.yaml:2:14: tokens.accounts: thumbprint \"NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9X\" "
         "has 42 characters: the thumbprint of an account key has 43"},
        {"tokens:\n  accounts: [NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9X=]", 0,
         "w.yaml:2:14: tokens.accounts: thumbprint "
         "\"NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9X=\": character 43 is \"=\" (ACME uses no "
         "padding); only A-Z a-z 0-9 - _ are allowed"},
        {"tokens:\n  accounts: [NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs, "
         "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs]",
         0,
         "w.yaml:2:59: tokens.accounts: \"NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs\" is listed "
         "twice"},
        {"tokens:\n  stateless: NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs", 0,
         "w.yaml:2:14: tokens.stateless: must be a list of account thumbprints, of 43 characters "
         "each, not \"NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs\""},
        {"tokens:\n  stateless: [NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs, "
         "OzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs]",
         0, "w.yaml:2:60: tokens.stateless: has more than 1 entry, which is all it may have"},
        /* what holds between keys */
        {"tokens:\n  stateless: [NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs]\n"
         "  accounts: [OzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs]",
         0,
         "w.yaml:3:13: tokens.accounts: the stateless account "
         "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs is not one of tokens.accounts"},
        {"redirect:\n  port: 8402", 0,
         "w.yaml:2:9: redirect.port: 8402 is responder.port too (its default): the responder needs "
         "a port of its own"},
        {"responder:\n  port: 80", 0,
         "w.yaml:2:9: responder.port: 80 is redirect.port too (its default): the responder needs a "
         "port of its own"},
        {"responder:\n  port: 81\nredirect:\n  port: 81", 0,
         "w.yaml:4:9: redirect.port: 81 is responder.port too: the responder needs a port of its "
         "own"},
        {"redirect:\n  port: 81\nresponder:\n  port: 81", 0,
         "w.yaml:4:9: responder.port: 81 is redirect.port too: the responder needs a port of its "
         "own"},
        {"responder:\n  undecided: 16", 0,
         "w.yaml:2:14: responder.undecided: undecided_per_address (32) may not be more than "
         "undecided (16): set responder.undecided_per_address too, which has its default"},
        {"responder:\n  undecided_per_address: 1025", 0,
         "w.yaml:2:26: responder.undecided_per_address: undecided_per_address (1025) may not be "
         "more than undecided (1024): set responder.undecided too, which has its default"},
        {"responder:\n  undecided_per_address: 65\n  undecided: 64", 0,
         "w.yaml:3:14: responder.undecided: undecided_per_address (65) may not be more than "
         "undecided (64)"},
        {"responder:\n  first_byte: 6s\n  deadline: 5s", 0,
         "w.yaml:3:13: responder.deadline: first_byte (6s) may not be longer than deadline (5s)"},
        {"responder: {deadline: 1500ms, first_byte: 1501ms}", 0,
         "w.yaml:1:43: responder.first_byte: first_byte (1501ms) may not be longer than deadline "
         "(1500ms)"},
        /* One of them is refused already: nothing more is said about both. */
        {"responder:\n  first_byte: 10s\n  deadline: 9", 0,
         "w.yaml:3:13: responder.deadline: must be a length of time from 1s to 1m (a number and "
         "ms, s, m or h), not \"9\""},
        {"window:\n  limit: 5m", 0,
         "w.yaml:2:10: window.limit: token_lifetime (10m) may not be longer than limit (5m): set "
         "window.token_lifetime too, which has its default"},
        {"window:\n  token_lifetime: 2h", 0,
         "w.yaml:2:19: window.token_lifetime: token_lifetime (2h) may not be longer than limit "
         "(1h): set window.limit too, which has its default"},
        {"window: {token_lifetime: 2s, limit: 1s}", 0,
         "w.yaml:1:37: window.limit: token_lifetime (2s) may not be longer than limit (1s)"},
        /* YAML */
        {"responder: &a\n  port: 80", 0,
         "w.yaml:1:12: an anchor (&): not used here, write values out\nw.yaml:2:9: responder.port: "
         "80 is redirect.port too (its default): the responder needs a port of its own"},
        {"responder:\n  port: &a 81", 0,
         "w.yaml:2:9: an anchor (&): not used here, write values out"},
        {"responder:\n  port: *a", 0,
         "w.yaml:2:9: an alias (*): not used here, write the value out"},
        {"responder: *a", 0, "w.yaml:1:12: an alias (*): not used here, write the value out"},
        {"responder:\n  port: !!int 81", 0,
         "w.yaml:2:9: a tag (!): not used here, write the value alone"},
        {"responder:\n  port: ! 81", 0,
         "w.yaml:2:9: a tag (!): not used here, write the value alone"},
        {"responder: !!map\n  port: 81", 0,
         "w.yaml:1:12: a tag (!): not used here, write the value alone"},
        {"redirect:\n  interfaces: &a [eth0]", 0,
         "w.yaml:2:15: an anchor (&): not used here, write values out"},
        {"redirect:\n  interfaces: [&a eth0]", 0,
         "w.yaml:2:16: an anchor (&): not used here, write values out"},
        {"&a responder:\n  port: 81", 0,
         "w.yaml:1:1: an anchor (&): not used here, write values out"},
        {"responder:\n  <<: {port: 81}", 0,
         "w.yaml:2:3: responder: a merge key (<<): not used here, write the keys out"},
        {"<<: *a", 0,
         "w.yaml:1:1: a merge key (<<): not used here, write the keys out\nw.yaml:1:5: an alias "
         "(*): not used here, write the value out"},
        {"%TAG ! tag:example.org,2026:\n---\nresponder:\n  port: 81", 0,
         "w.yaml:1:1: a %TAG directive: not used here"},
        {"responder:\n  port: 81\n---\nresponder:\n  port: 82", 0,
         "w.yaml:3:1: a second document: a configuration is one"},
        {"---\n...\n---\n", 0, "w.yaml:3:1: a second document: a configuration is one"},
        {"responder:\n\tport: 81", 0, "w.yaml:2:1: a tab: indent with spaces"},
        {"responder:\n  port: 81\n port: 82", 0,
         "w.yaml:3:2: not YAML: did not find expected key, while parsing a block mapping that "
         "begins on line 1"},
        {"responder:\n  port: [", 0,
         "w.yaml:2:9: responder.port: must be a number from 1 to 65535, not a list\nw.yaml:3:1: "
         "not YAML: did not find expected node content"},
        {"responder: {port: 81", 0,
         "w.yaml:2:1: not YAML: did not find expected ',' or '}', while parsing a flow mapping "
         "that begins on line 1"},
        {"responder: \"port", 0, "w.yaml:1:17: not YAML: found unexpected end of stream"},
        {"responder:\n  port: 81\n  user: a: b", 0,
         "w.yaml:3:10: not YAML: mapping values are not allowed in this context"},
        {"[[[[[[[[[1]]]]]]]]]", 0,
         "w.yaml:1:1: no configuration: it is made of lines such as \"key: value\"\nw.yaml:1:9: "
         "nested deeper than 8 levels; what follows was not read"},
        {"colour: {a: {b: {c: {d: {e: {f: {g: {h: 1}}}}}}}}", 0,
         "w.yaml:1:1: colour: unknown key\nw.yaml:1:37: nested deeper than 8 levels; what follows "
         "was not read"},
        /* bytes */
        {"responder:\n  user: \xff", 0, "w.yaml:2:9: byte 0xff is not UTF-8"},
        {"responder:\n  user: \xc3(", 0, "w.yaml:2:9: byte 0xc3 is not UTF-8"},
        {"# \xc3\xa9\xc3\xa9 \xc0\xaf", 0, "w.yaml:1:6: byte 0xc0 is not UTF-8"},
        {"\xff\xfer\x00", 4, "w.yaml:1:1: byte 0xff is not UTF-8"},
        {"responder:\n  user: a\x00"
         "b",
         22, "w.yaml:2:10: byte 0x00 is a control character"},
        {"responder:\r\n  user: \x01", 0, "w.yaml:2:9: byte 0x01 is a control character"},
        {"responder:\r  user: \x01", 0, "w.yaml:2:9: byte 0x01 is a control character"},
        {"# \xc2\x9b", 0, "w.yaml:1:3: a character that is not text"},
    };
    static struct config_errors errors;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char lines[4096] = "";
        size_t length = rows[i].length ? rows[i].length : strlen(rows[i].text);
        struct config config;
        if (config_parse(&config, "w.yaml", rows[i].text, length, &errors) != -1)
            fail_msg("accepted: %s", rows[i].text);
        size_t used = 0;
        for (size_t e = 0; e < errors.count; e++)
            used += (size_t)snprintf(lines + used, sizeof(lines) - used, "%s%s", e > 0 ? "\n" : "",
                                     errors.lines[e]);
        assert_string_equal(lines, rows[i].lines);
        assert_false(errors.more);
        config_deinit(&config);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mistakes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
