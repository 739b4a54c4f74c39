// Every form that the coroutine gate must find; each line marked "bad" is one finding. Never
// compiled into anything: .ci/lint checks with it that the gate still sees.
#include <coroutine>
#include <exception>
#include <string>
#include <utility>

template <class T>
struct task
{
    struct promise_type
    {
        task get_return_object() { return {}; }
        std::suspend_never initial_suspend() { return {}; }
        std::suspend_never final_suspend() noexcept { return {}; }
        void return_value(T) {}
        void unhandled_exception() { std::terminate(); }
    };

    bool await_ready() const { return true; }
    void await_suspend(std::coroutine_handle<>) const {}
    T await_resume() const { return T{}; }
};

struct options
{
    std::string name;
    int limit = 0;
};

task<bool> ask();
task<int> run(options);
task<std::string> text();
template <class F>
task<int> call(F)
{
    return {};
}

task<int> conditions()
{
    if (co_await ask()) co_return 1;     // bad
    while (co_await ask()) co_return 2;  // bad
    for (; co_await ask();) co_return 3; // bad
    do {                                 // bad
    } while (co_await ask());
    options none;
    switch (co_await run(std::move(none))) { // bad
    default: break;
    }
    co_return 0;
}

task<int> temporaries(std::string name)
{
    co_await run(options{name, 1});                    // bad
    co_await run({.name = name});                      // bad
    co_await call([name] { return name; });            // bad
    const options built = options{co_await text(), 1}; // bad
    co_return built.limit;
}

task<int> bound_to_a_temporary(const std::string& name) // bad
{
    co_return static_cast<int>(name.size());
}

task<int> bound_to_a_moved_one(std::string&& name) // bad
{
    co_return static_cast<int>(name.size());
}

namespace perdure {
class context
{};
} // namespace perdure

task<int> good_workflow(perdure::context, const std::string& kept)
{
    co_return static_cast<int>(kept.size());
}

task<int> good(std::string name, options& identified)
{
    identified.limit = 0;
    const bool yes = co_await ask();
    if (yes) co_return 1;
    options named{name, 1};
    const int ran = co_await run(std::move(named));
    auto callee = [name] { return name; };
    co_return ran + co_await call(std::move(callee));
}
