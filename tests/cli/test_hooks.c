// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "cli/hooks/launch.h"
#include "fake.h"

/*
 * The hooks as their clients call them, against a keeper that writes down what it is asked for:
 * "+a " a token is added, "-a " it is removed, "? " it is fetched, "! " it is asked whether
 * connections arrive. argv[1] is the program, argv[2] the directory of the executables for clients
 * that take no arguments.
 */

#define THUMBPRINT "9jg46WB3rR_AHD-EBXdN7cBkH1WOu0tA3M9fm21mqTI"
/* In parentheses, so that it is seen to be one element of a list. */
#define KEY(token)    (KEY_OF(token))
#define KEY_OF(token) token "." THUMBPRINT
#define X10           "xxxxxxxxxx"
#define X100          X10 X10 X10 X10 X10 X10 X10 X10 X10 X10

static const char *program;
static const char *executables;

struct keeper {
    const char *refused; /* this token is somebody else's */
    const char *unheard; /* this token is not served */
    char asked[512];
};

static void note(struct keeper *keeper, const char *what, const char *token)
{
    strncat(keeper->asked, what, sizeof keeper->asked - strlen(keeper->asked) - 1);
    strncat(keeper->asked, token, sizeof keeper->asked - strlen(keeper->asked) - 1);
    strncat(keeper->asked, " ", sizeof keeper->asked - strlen(keeper->asked) - 1);
}

/* Answers the GET that follows as the responder would. */
static void answer_get(const struct keeper *keeper, int server)
{
    char request[512] = "";
    if (recv(server, request, sizeof request - 1, 0) <= 0)
        abort();
    char *token = strchr(request, '/') + strlen(CHALLENGE_PATH_PREFIX);
    *strchr(token, ' ') = '\0';
    if (keeper->unheard != NULL && strcmp(token, keeper->unheard) == 0)
        dprintf(server, "HTTP/1.1 404 Not Found\r\n\r\n");
    else
        dprintf(server, "HTTP/1.1 200 OK\r\n\r\n%s." THUMBPRINT, token);
    close(server);
}

static void answer_probe(struct keeper *keeper, int client, const struct control_probe *probe)
{
    union control_message message;
    control_message_init(&message, CONTROL_SOCKET);
    if (probe->family != AF_INET || probe->loopback != 0) {
        control_send(client, &message, -1);
        fake_result(client, 0, "");
        return;
    }
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        abort();
    message.socket.family = AF_INET;
    message.socket.port = 80;
    strcpy(message.socket.address, "192.0.2.1");
    note(keeper, "?", "");
    control_send(client, &message, pair[0]);
    close(pair[0]);
    fake_result(client, 0, "");
    answer_get(keeper, pair[1]);
}

static void serve(struct fake *fake, int client, int number)
{
    (void)number;
    struct keeper *keeper = fake->context;
    fake_greet(client, fake->settings.config.path);
    union control_message request;
    for (;;) {
        switch (fake_next(client, &request)) {
        case 0:
            return;
        case CONTROL_ADD: {
            char *dot = strchr(request.add.key_authorization, '.');
            *dot = '\0';
            note(keeper, "+", request.add.key_authorization);
            const bool refused = keeper->refused != NULL &&
                                 strcmp(request.add.key_authorization, keeper->refused) == 0;
            fake_result(client, refused ? EX_DATAERR : 0, refused ? "another account's" : "");
            break;
        }
        case CONTROL_REMOVE:
            note(keeper, "-", request.remove.token);
            fake_result(client, 0, strcmp(request.remove.token, "late") == 0 ? "too late" : "");
            break;
        case CONTROL_SETTLE:
            note(keeper, "!", "");
            fake_result(client, 0, "");
            break;
        case CONTROL_PROBE:
            answer_probe(keeper, client, &request.probe);
            break;
        default:
            abort();
        }
    }
}

struct call {
    const char *words[12]; /* behind "wicket hook"; or the executable's, when that is not NULL */
    const char *executable;
    const char *environment[8];
    const char *input;
    struct keeper keeper;
    int status;
    const char *asked; /* of the keeper */
    const char *said;  /* in one line on standard error; NULL: nothing is said */
};

struct outcome {
    int status;
    char out[256];
    char err[2048];
};

static void drain(FILE *file, char *text, size_t capacity)
{
    rewind(file);
    text[fread(text, 1, capacity - 1, file)] = '\0';
    fclose(file);
}

static char *writable(const char *text)
{
    return (char *)(uintptr_t)text;
}

static _Noreturn void become(const struct call *call, const char *config)
{
    char path[4096];
    char *words[16] = {path};
    size_t count = 1;
    if (call->executable != NULL) {
        snprintf(path, sizeof path, "%s/%s", executables, call->executable);
    } else {
        snprintf(path, sizeof path, "%s", program);
        words[count++] = writable("hook");
    }
    for (size_t i = 0; call->words[i] != NULL; i++)
        words[count++] = writable(call->words[i]);
    char variable[4200];
    snprintf(variable, sizeof variable, "WICKET_CONFIG=%s", config);
    char *environment[10] = {variable};
    for (size_t i = 0; call->environment[i] != NULL; i++)
        environment[i + 1] = writable(call->environment[i]);
    execve(path, words, environment);
    _exit(99);
}

static void run(struct outcome *outcome, const struct call *call, const char *config)
{
    FILE *in = tmpfile();
    FILE *out = tmpfile();
    FILE *err = tmpfile();
    assert_true(in != NULL && out != NULL && err != NULL);
    fputs(call->input != NULL ? call->input : "", in);
    rewind(in);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        dup2(fileno(in), STDIN_FILENO);
        dup2(fileno(out), STDOUT_FILENO);
        dup2(fileno(err), STDERR_FILENO);
        become(call, config);
    }
    assert_int_equal(waitpid(child, &outcome->status, 0), child);
    assert_true(WIFEXITED(outcome->status));
    outcome->status = WEXITSTATUS(outcome->status);
    fclose(in);
    drain(out, outcome->out, sizeof outcome->out);
    drain(err, outcome->err, sizeof outcome->err);
}

static void check(const struct call *calls, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct keeper keeper = calls[i].keeper;
        struct fake fake;
        fake_start(&fake, serve, &keeper);
        const char *config = fake.settings.config.path;
        FILE *file = fopen(config, "we");
        assert_non_null(file);
        fprintf(file, "control:\n  socket: %s\n", fake.settings.config.control.socket);
        assert_int_equal(fclose(file), 0);
        struct outcome outcome;
        run(&outcome, &calls[i], config);
        unlink(config);
        const int connections = fake.connections;
        fake_stop(&fake);
        if (outcome.status != calls[i].status || strcmp(keeper.asked, calls[i].asked) != 0)
            fail_msg("row %zu: status %d, asked for \"%s\", said: %s", i, outcome.status,
                     keeper.asked, outcome.err);
        assert_string_equal(outcome.out, "");
        /* What is wrong with the call itself is found without a keeper. */
        assert_int_equal(connections > 0, calls[i].asked[0] != '\0');
        const char *newline = strchr(outcome.err, '\n');
        if (calls[i].said == NULL)
            assert_string_equal(outcome.err, "");
        else if (newline == NULL || newline[1] != '\0' ||
                 strncmp(outcome.err, "wicket: ", 8) != 0 ||
                 strstr(outcome.err, calls[i].said) == NULL)
            fail_msg("row %zu says: %s", i, outcome.err);
    }
}

#define CHECK(...)                                        \
    do {                                                  \
        static const struct call calls[] = {__VA_ARGS__}; \
        check(calls, sizeof calls / sizeof calls[0]);     \
    } while (0)

#define CERTBOT(domain, token, key) \
    .environment = {"CERTBOT_DOMAIN=" domain, "CERTBOT_TOKEN=" token, "CERTBOT_VALIDATION=" key}

static void test_certbot(void **state)
{
    (void)state;
    CHECK({.words = {"certbot", "auth"}, CERTBOT("a.test", "a", KEY_OF("a")), .asked = "+a ? ! "},
          {.words = {"certbot", "cleanup"}, CERTBOT("a.test", "a", KEY_OF("a")), .asked = "-a "},
          {.words = {"certbot", "cleanup"},
           CERTBOT("a.test", "late", KEY_OF("late")),
           .asked = "-late ",
           .said = "certbot hook for \"a.test\": too late"},
          {.words = {"certbot", "auth"},
           .environment = {"CERTBOT_IDENTIFIER=192.0.2.1", "CERTBOT_TOKEN=a",
                           "CERTBOT_VALIDATION=" KEY_OF("a")},
           .asked = "+a ? ! "},
          {.words = {"certbot", "auth"},
           .environment = {"CERTBOT_IDENTIFIER=b.test", "CERTBOT_DOMAIN=a.test", "CERTBOT_TOKEN=a",
                           "CERTBOT_VALIDATION=" KEY_OF("b")},
           .status = EX_DATAERR,
           .asked = "",
           .said = "CERTBOT_TOKEN"},
          {.words = {"certbot", "auth"},
           .keeper = {.unheard = "a"},
           .environment = {"CERTBOT_IDENTIFIER=b.test", "CERTBOT_DOMAIN=a.test", "CERTBOT_TOKEN=a",
                           "CERTBOT_VALIDATION=" KEY_OF("a")},
           .status = EX_TEMPFAIL,
           .asked = "+a ? -a ",
           .said = "certbot hook for \"b.test\": "},
          {.words = {"certbot", "auth"}, .status = EX_USAGE, .asked = "", .said = "CERTBOT_DOMAIN"},
          {.words = {"certbot", "cleanup"},
           .environment = {"CERTBOT_IDENTIFIER="},
           .status = EX_USAGE,
           .asked = "",
           .said = "CERTBOT_DOMAIN"});
}

static void test_dehydrated(void **state)
{
    (void)state;
    CHECK(
        {.words = {"dehydrated", "deploy_challenge", "a.test", "a", KEY("a")}, .asked = "+a ? ! "},
        {.words = {"deploy_challenge", "a.test", "a", KEY("a")},
         .executable = "dehydrated",
         .asked = "+a ? ! "},
        /* A chain is registered whole before the first is fetched. */
        {.words = {"dehydrated", "deploy_challenge", "a.test", "a", KEY("a"), "b.test", "b",
                   KEY("b"), "c.test", "-c", KEY("-c")},
         .asked = "+a +b +-c ? ? ? ! "},
        {.words = {"dehydrated", "clean_challenge", "a.test", "a", KEY("a"), "", "b", KEY("b")},
         .asked = "-a -b "},
        {.words = {"dehydrated", "clean_challenge", "a.test", "late", KEY("late"), "", "b",
                   KEY("b")},
         .asked = "-late -b ",
         .said = "dehydrated hook for a.test: too late"},
        /* One that fails takes those of its own call with it. */
        {.words = {"dehydrated", "deploy_challenge", "a.test", "a", KEY("a"), "b.test", "b",
                   KEY("b"), "c.test", "c", KEY("c")},
         .keeper = {.refused = "b"},
         .status = EX_DATAERR,
         .asked = "+a +b -a ",
         .said = "dehydrated hook for b.test: another account's"},
        {.words = {"dehydrated", "deploy_challenge", "a.test", "a", KEY("a"), "b.test", "b",
                   KEY("b")},
         .keeper = {.unheard = "b"},
         .status = EX_TEMPFAIL,
         .asked = "+a +b ? ? -a -b ",
         .said = "dehydrated hook for b.test: the challenge is not served"},
        {.words = {"dehydrated",
                   "this_hookscript_is_broken__dehydrated_is_working_fine__please_ignore_unknown_"
                   "hooks_in_your_script"},
         .asked = ""},
        {.words = {"dehydrated", "startup_hook"}, .asked = ""},
        {.words = {"dehydrated", "exit_hook", "--help"}, .asked = ""},
        {.words = {"dehydrated", "deploy_cert", "a.test", "-c", "--config", "x", "y", "1"},
         .asked = ""},
        {.words = {"dehydrated", "request_failure", "503", "busy", "get", "-"}, .asked = ""},
        {.words = {"dehydrated"}, .status = EX_USAGE, .asked = "", .said = "no event named"},
        {.words = {NULL},
         .executable = "dehydrated",
         .status = EX_USAGE,
         .asked = "",
         .said = "no event named"},
        {.words = {"dehydrated", "deploy_challenge"},
         .status = EX_USAGE,
         .asked = "",
         .said = "deploy_challenge takes DOMAIN TOKEN KEY_AUTHORIZATION"},
        {.words = {"dehydrated", "deploy_challenge", "a.test", "a"},
         .status = EX_USAGE,
         .asked = "",
         .said = "deploy_challenge takes"},
        {.words = {"dehydrated", "clean_challenge", "a.test", "a", KEY("a"), "b.test"},
         .status = EX_USAGE,
         .asked = "",
         .said = "clean_challenge takes"},
        /* Nothing is registered when one of the chain is wrong. */
        {.words = {"dehydrated", "deploy_challenge", "a.test", "a", KEY("a"), "b.test", "b",
                   KEY("c")},
         .status = EX_DATAERR,
         .asked = "",
         .said = "dehydrated hook for b.test: the key authorization is not one of the token"});
}

static void test_uacme(void **state)
{
    (void)state;
    CHECK({.words = {"uacme", "begin", "http-01", "a.test", "-a", KEY("-a")}, .asked = "+-a ? ! "},
          {.words = {"begin", "http-01", "a.test", "-a", KEY("-a")},
           .executable = "uacme",
           .asked = "+-a ? ! "},
          {.words = {"uacme", "done", "http-01", "a.test", "a", KEY("a")}, .asked = "-a "},
          {.words = {"uacme", "failed", "http-01", "a.test", "a", KEY("a")}, .asked = "-a "},
          {.words = {"uacme"},
           .environment = {"UACME_METHOD=begin", "UACME_TYPE=http-01", "UACME_IDENT=a.test",
                           "UACME_TOKEN=a", ("UACME_AUTH=" KEY_OF("a"))},
           .asked = "+a ? ! "},
          /* What is said in words is what counts. */
          {.words = {"uacme", "done", "http-01", "b.test", "b", KEY("b")},
           .environment = {"UACME_METHOD=begin", "UACME_TYPE=http-01", "UACME_IDENT=a.test",
                           "UACME_TOKEN=a", ("UACME_AUTH=" KEY_OF("a"))},
           .asked = "-b "},
          {.words = {"uacme", "begin", "http-01", "a.test", "a", KEY("a")},
           .keeper = {.unheard = "a"},
           .status = EX_TEMPFAIL,
           .asked = "+a ? -a ",
           .said = "uacme hook for a.test: the challenge is not served"},
          {.words = {"uacme", "begin", "dns-01", "a.test", "a", THUMBPRINT},
           .status = 1,
           .asked = ""},
          {.words = {"uacme", "begin", "tls-alpn-01", "a.test", "a", THUMBPRINT},
           .status = 1,
           .asked = ""},
          {.words = {"uacme", "renew", "http-01", "a.test", "a", KEY("a")},
           .status = EX_USAGE,
           .asked = "",
           .said = "\"renew\" is none of begin, done and failed"},
          {.words = {"uacme", "begin", "http-01", "a.test", "a"},
           .status = EX_USAGE,
           .asked = "",
           .said = "4 arguments and not METHOD"},
          {.words = {"uacme", "begin", "http-01", "a.test", "a", KEY("a"), "b"},
           .status = EX_USAGE,
           .asked = "",
           .said = "6 arguments and not METHOD"},
          {.words = {"uacme"}, .status = EX_USAGE, .asked = "", .said = "UACME_METHOD is not set"},
          {.words = {"uacme"},
           .environment = {"UACME_METHOD=begin", "UACME_TYPE=http-01", "UACME_IDENT=a.test",
                           "UACME_TOKEN=a"},
           .status = EX_USAGE,
           .asked = "",
           .said = "UACME_AUTH is not set"});
}

static void test_acmetool(void **state)
{
    (void)state;
    CHECK({.words = {"acmetool", "challenge-http-start", "a.test", "targets/a", "a"},
           .input = KEY("a"),
           .asked = "+a ? ! "},
          {.words = {"challenge-http-start", "a.test", "targets/a", "a"},
           .executable = "acmetool",
           .input = KEY("a"),
           .asked = "+a ? ! "},
          {.words = {"acmetool", "challenge-http-stop", "a.test", "targets/a", "a"},
           .input = KEY("a"),
           .asked = "-a "},
          {.words = {"acmetool", "challenge-http-start", "a.test", "targets/a", "a"},
           .input = KEY("a"),
           .keeper = {.unheard = "a"},
           .status = EX_TEMPFAIL,
           .asked = "+a ? -a ",
           .said = "acmetool hook for a.test: the challenge is not served"},
          {.words = {"acmetool", "challenge-dns-start", "a.test", "targets/a", "x", ""},
           .status = 42,
           .asked = ""},
          {.words = {"acmetool", "live-updated"}, .input = "a.test\n", .status = 42, .asked = ""},
          {.words = {"live-updated"},
           .executable = "acmetool",
           .input = "a.test\n",
           .status = 42,
           .asked = ""},
          {.words = {"acmetool"}, .status = EX_USAGE, .asked = "", .said = "no event named"},
          {.words = {"acmetool", "challenge-http-start", "a.test", "targets/a"},
           .input = KEY("a"),
           .status = EX_USAGE,
           .asked = "",
           .said = "takes HOST TARGET_FILE"},
          {.words = {"acmetool", "challenge-http-start", "a.test", "targets/a", "a"},
           .status = EX_DATAERR,
           .asked = "",
           .said = "acmetool hook for a.test: "},
          {.words = {"acmetool", "challenge-http-start", "a.test", "targets/a", "a"},
           .input = KEY_OF("a") "\n",
           .status = EX_DATAERR,
           .asked = "",
           .said = "\\x0a"},
          {.words = {"acmetool", "challenge-http-start", "a.test", "targets/a", "b"},
           .input = KEY("a"),
           .status = EX_DATAERR,
           .asked = "",
           .said = "the key authorization is not one of the token \"b\""},
          {.words = {"acmetool", "challenge-http-start", "a.test", "targets/a", "a"},
           .input = X100 X100 X100 X100,
           .status = EX_DATAERR,
           .asked = "",
           .said = "acmetool hook for a.test: "});
}

/* Whatever the client, a key authorization that is none is refused in the same words. */
static void test_bad_key_authorizations(void **state)
{
    (void)state;
    static const struct {
        const char *token, *key;
    } rows[] = {
        {"a", KEY("b")},                         /* not the token's */
        {"a", "a"},                              /* no thumbprint */
        {"a", "a.short"},                        /* */
        {"a", (KEY_OF("a") "\n")},               /* newline */
        {"a\nb", KEY("a\nb")},                   /* */
        {"../a", KEY("../a")},                   /* a path */
        {"/etc/passwd", KEY("/etc/passwd")},     /* */
        {"a/b", KEY("a/b")},                     /* */
        {(X100 X100 X100), KEY(X100 X100 X100)}, /* over-long */
        {"a", (KEY_OF("a") "x")},                /* */
        {"", ("." THUMBPRINT)},                  /* empty */
        {"a", ""},                               /* */
        {"a%2e", KEY("a%2e")},                   /* */
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char variables[2][512];
        snprintf(variables[0], sizeof variables[0], "CERTBOT_TOKEN=%s", rows[i].token);
        snprintf(variables[1], sizeof variables[1], "CERTBOT_VALIDATION=%s", rows[i].key);
        const int certbot =
            rows[i].token[0] == '\0' || rows[i].key[0] == '\0' ? EX_USAGE : EX_DATAERR;
        const struct call calls[] = {
            {.words = {"certbot", "auth"},
             .environment = {"CERTBOT_DOMAIN=a.test", variables[0], variables[1]},
             .status = certbot,
             .asked = "",
             .said = "CERTBOT_"},
            {.words = {"dehydrated", "deploy_challenge", "a.test", rows[i].token, rows[i].key},
             .status = EX_DATAERR,
             .asked = "",
             .said = "dehydrated hook for a.test: "},
            {.words = {"uacme", "begin", "http-01", "a.test", rows[i].token, rows[i].key},
             .status = EX_DATAERR,
             .asked = "",
             .said = "uacme hook for a.test: "},
            {.words = {"acmetool", "challenge-http-start", "a.test", "f", rows[i].token},
             .input = rows[i].key,
             .status = EX_DATAERR,
             .asked = "",
             .said = "acmetool hook for a.test: "},
        };
        check(calls, sizeof calls / sizeof calls[0]);
    }
}

/* Also a name may be anything: it is shown, never believed. */
static void test_hostile_identifier(void **state)
{
    (void)state;
    CHECK({.words = {"uacme", "begin", "http-01", "\x1b[2J\nwicket: x", "a", KEY("b")},
           .status = EX_DATAERR,
           .asked = "",
           .said = "uacme hook for ?[2J?wicket: x: "},
          {.words = {"uacme", "begin", "http-01", X100 X100, "a", KEY("a")}, .asked = "+a ? ! "});
}

static void test_launch_path(void **state)
{
    (void)state;
    char tree[] = "/tmp/wicket-tree-XXXXXX";
    assert_non_null(mkdtemp(tree));
    static const struct {
        const char *directory; /* below the tree, or not when it begins with "!" */
        const char *sibling;   /* what the tree has below it; NULL: nothing */
        bool executable;
        const char *path; /* below the tree; NULL: what is installed */
    } rows[] = {
        {"!" LIBEXECDIR "/wicket/hooks", NULL, false, NULL},
        {"/libexec/wicket/hooks", "/bin/wicket", true, "/bin/wicket"},
        {"/libexec/wicket/hooks", "/bin/wicket", false, NULL},
        {"/libexec/wicket/hooks", NULL, false, NULL},
        {"/src/cli/hooks", "/src/wicket", true, "/src/wicket"},
        {"/src/cli/hooks", NULL, false, NULL},
        {"/etc/acme/hooks", "/wicket", true, NULL}, /* a copy, whatever is two above it */
        {"!", NULL, false, NULL},
    };
    char path[4096];
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char directory[128];
        char wanted[128];
        char sibling[128] = "";
        char parent[128] = "";
        const bool outside = rows[i].directory[0] == '!';
        snprintf(directory, sizeof directory, "%s%s", outside ? "" : tree,
                 rows[i].directory + (outside ? 1 : 0));
        snprintf(wanted, sizeof wanted, "%s%s", rows[i].path != NULL ? tree : BINDIR,
                 rows[i].path != NULL ? rows[i].path : "/wicket");
        if (rows[i].sibling != NULL) {
            snprintf(sibling, sizeof sibling, "%s%s", tree, rows[i].sibling);
            snprintf(parent, sizeof parent, "%s", sibling);
            *strrchr(parent, '/') = '\0';
            assert_true(mkdir(parent, 0755) == 0 || strcmp(parent, tree) == 0);
            const int fd = open(sibling, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
            assert_true(fd >= 0);
            assert_int_equal(fchmod(fd, rows[i].executable ? 0755 : 0644), 0);
            close(fd);
        }
        assert_true(launch_path(path, sizeof path, directory));
        assert_string_equal(path, wanted);
        if (rows[i].sibling != NULL) {
            unlink(sibling);
            if (strcmp(parent, tree) != 0)
                rmdir(parent);
        }
    }
    assert_int_equal(rmdir(tree), 0);
    assert_false(launch_path(path, 8, "/srv/tree/libexec/wicket/hooks"));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_certbot),
        cmocka_unit_test(test_dehydrated),
        cmocka_unit_test(test_uacme),
        cmocka_unit_test(test_acmetool),
        cmocka_unit_test(test_bad_key_authorizations),
        cmocka_unit_test(test_hostile_identifier),
        cmocka_unit_test(test_launch_path),
    };
    if (argc != 3)
        return EX_USAGE;
    program = argv[1];
    executables = argv[2];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
