// nf: trains, scores and samples normalizing flows from the command line, using only the public header nf.hpp.
// Exit codes (common/failure.h): 0 success, 1 failure, 2 wrong command line, 130 interrupted. Errors go to standard error.
#include <algorithm>
#include <cstdio>
#include <exception>
#include <new>

#include "src/cli/common/commands.h"
#include "src/cli/common/failure.h"
#include "src/cli/common/help.h"
#include "src/cli/common/settings.h"
#include "src/cli/common/text.h"

namespace cli {
namespace {

int print_error(const std::string& message, const std::string& hint, int code) {
  const Screen screen(stderr);
  std::fprintf(stderr, "%s %s\n", screen.bad("nf:").c_str(), message.c_str());
  if (!hint.empty()) std::fprintf(stderr, "    %s\n", hint.c_str());
  return code;
}

std::vector<std::string> flags_of(const CLI::App& app) {
  std::vector<std::string> flags;
  for (const CLI::Option* o : app.get_options())
    for (const std::string& name : o->get_lnames()) flags.push_back("--" + name);
  return flags;
}

// Returns the flag of the command that is nearest to a word, also by the names of other libraries for options.
std::string nearest_flag(const std::string& word, const std::vector<std::string>& known) {
  const std::string near = nearest(word, known);
  if (!near.empty() || !word.starts_with("--")) return near;
  std::string name = word.substr(2);
  std::replace(name.begin(), name.end(), '-', '_');
  const std::string flag = flag_of(nearest_option(name));
  return std::find(known.begin(), known.end(), flag) == known.end() ? std::string() : flag;
}

// Rewords CLI11's "--steps: At Most 1 required but received 2" and "--steps: 1 required INT missing".
std::string mismatch(const std::string& message) {
  const std::string name = message.substr(0, message.find(':'));
  if (message.ends_with(" missing")) return name + " needs a value";
  if (message.find(": At Most 1 required") == std::string::npos) return message;
  const std::string times = message.substr(message.rfind(' ') + 1);
  return name + " was given " + (times == "2" ? "twice" : times + " times");
}

int usage_error(const CLI::App& app, const CLI::ParseError& e) {
  const CLI::App* at = &app;
  std::string command = "nf";
  while (!at->get_subcommands().empty()) {
    at = at->get_subcommands().front();
    command += " " + at->get_name();
  }
  const std::string help = "see `" + command + " --help`";
  const std::vector<std::string> extra = at->remaining();
  // If a required option is misspelled, the parser reports it as missing; report the misspelling instead.
  const bool flag = !extra.empty() && extra.front().starts_with("-");
  if (!extra.empty() &&
      (dynamic_cast<const CLI::ExtrasError*>(&e) || (flag && dynamic_cast<const CLI::RequiredError*>(&e)))) {
    std::vector<std::string> known = flags_of(*at);
    if (!flag) {
      known.clear();
      for (const CLI::App* sub : at->get_subcommands([](const CLI::App*) { return true; }))
        known.push_back(sub->get_name());
    }
    const std::string word = extra.front().substr(0, extra.front().find('='));
    const std::string near = flag ? nearest_flag(word, known) : nearest(word, known);
    const char* what = flag ? "option" : at == &app ? "command" : "argument";
    return print_error(command + " has no " + what + " " + word + (near.empty() ? "" : "; did you mean " + near + "?"),
                       help, kUsage);
  }
  return print_error(dynamic_cast<const CLI::ArgumentMismatch*>(&e) ? mismatch(e.what()) : e.what(), help, kUsage);
}

int run(int argc, char** argv) {
  CLI::App app("Normalizing flows: train a density on rows of numbers, score new rows, draw samples.", "nf");
  Action action;
  app.formatter(help_format());
  app.set_version_flag("--version", version_text);
  app.require_subcommand(0, 1);  // none prints the help
  add_train(app, action);
  add_fit_target(app, action);
  add_targets(app, action);
  add_score(app, action);
  add_sample(app, action);
  add_encode(app, action);
  add_decode(app, action);
  add_check(app, action);
  add_info(app, action);
  add_parts(app, action);
  add_options(app, action);
  add_toy(app, action);
  add_plot(app, action);
  add_help(app, action);
  app.footer(
      "A first model, from a CSV file with a header:\n"
      "  nf train auto --data train.csv -o model.safetensors\n"
      "  nf score model.safetensors --data test.csv\n"
      "  nf sample model.safetensors -n 1000 -o samples.csv\n"
      "  nf check model.safetensors --data test.csv\n\n"
      "`nf COMMAND --help` has examples of each. Exit codes: 0 success, 1 failure, 2 wrong command line,\n"
      "130 interrupted.");
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& e) {  // --help, --version
    return app.exit(e);
  } catch (const CLI::ParseError& e) {
    return usage_error(app, e);
  }
  if (!action) {
    std::printf("%s", app.help().c_str());
    return kUsage;
  }
  const int code = action();
  if (std::fflush(stdout) != 0) throw Failure("cannot write to standard output");
  return code;
}
}  // namespace
}  // namespace cli

int main(int argc, char** argv) {
  using namespace cli;
  try {
    return run(argc, argv);
  } catch (const Failure& e) {
    return print_error(e.what(), e.hint, e.code);
  } catch (const nf::Exception& e) {
    return print_error(*e.what() ? e.what() : nf::status_name(e.status()), {}, kFailed);
  } catch (const std::bad_alloc&) {
    return print_error("out of memory", {}, kFailed);
  } catch (const std::exception& e) {
    return print_error(e.what(), {}, kFailed);
  }
}
