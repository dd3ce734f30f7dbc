// The subcommands. Each adds its flags to `app`; parsing them sets `action`.
#pragma once
#include <CLI/CLI.hpp>
#include <functional>

namespace cli {

using Action = std::function<int()>;  // returns the exit code

void add_train(CLI::App& app, Action& action);
void add_fit_target(CLI::App& app, Action& action);
void add_targets(CLI::App& app, Action& action);
void add_score(CLI::App& app, Action& action);
void add_sample(CLI::App& app, Action& action);
void add_encode(CLI::App& app, Action& action);
void add_decode(CLI::App& app, Action& action);
void add_check(CLI::App& app, Action& action);
void add_info(CLI::App& app, Action& action);
void add_parts(CLI::App& app, Action& action);
void add_options(CLI::App& app, Action& action);
void add_toy(CLI::App& app, Action& action);
void add_plot(CLI::App& app, Action& action);
void add_help(CLI::App& app, Action& action);  // nf help, nf version; call last

}  // namespace cli
