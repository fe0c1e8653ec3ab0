// tests/packaging/visitor.cc - a program in C++ that uses what the headers have for it.
//
// Room: tests/. Built and run by test_cxx.sh, with each compiler that there is.
#include <coppice.h>

#include <cstdio>
#include <cstdlib>

namespace {

struct sum {
    long a, b;
};

enum tag : uint32_t {
    ADD = 1,
};

COP_MESSAGE(add, ADD, struct sum)

cop_step
handle_call(void *, cop_from from, cop_msg request)
{
    if (const struct sum *sum = add_of(request)) {
        long result = sum->a + sum->b;
        cop_msg answer = {};
        answer.body.data = &result;
        answer.body.size = sizeof result;
        return cop_reply(from, answer);
    }
    return cop_stop(cop_failed(-EINVAL, "what is %u?", request.tag));
}

int
receive_one(cop_bytes)
{
    cop_msg msg;
    int r = cop_receive(&msg, COP_SEC(5));
    return r ? r : COP_BODY(msg, struct sum)->a == 1 ? 0 : -EBADMSG;
}

int
check(const char *what, int r)
{
    if (r) {
        std::printf("%s: %s\n", what, cop_strerror(r));
    }
    return r != 0;
}

} // namespace

int
main()
{
    static cop_genserver calculator;
    calculator.handle_call = handle_call;
    cop_start_opts options = {};
    options.size = sizeof options;
    cop_pid server, process;
    cop_ref end;
    const struct sum sum = {1, 2};
    long result = 0;
    int failed = check("start", cop_genserver_start_with(&server, &calculator, &options));
    failed += check("call", cop_call(server, add_msg(&sum), COP_OUT(result), COP_MS(5000)));
    failed += check("answer", result == 3 ? 0 : -EBADMSG);
    options.monitor = &end;
    failed += check("spawn", cop_spawn_with(&process, receive_one, &options));
    failed += check("send", cop_send(process, add_msg(&sum)));
    cop_msg down;
    failed += check("receive", cop_receive(&down, COP_SEC(5)));
    failed += check("end", COP_BODY(down, struct cop_down)->reason.kind == COP_NORMAL ? 0 : -EBADMSG);
    failed += check("shutdown", cop_shutdown(COP_SEC(5)));
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
