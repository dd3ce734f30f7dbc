// nf help and nf version, and the layout of all help texts.
#include "src/cli/common/help.h"

#include <cstdio>

#include "src/cli/common/commands.h"
#include "src/cli/common/failure.h"
#include "src/cli/common/text.h"

namespace cli {
namespace {
constexpr size_t kWidth = 120;
constexpr size_t kDescriptions = 34;  // column where the descriptions of flags start

class HelpFormat : public CLI::Formatter {
 public:
  HelpFormat() { column_width(kDescriptions); }
  std::string make_help(const CLI::App* app, std::string name, CLI::AppFormatMode mode) const override {
    return fit_width(CLI::Formatter::make_help(app, std::move(name), mode));
  }

 private:
  // Wraps long lines. Those with a flag continue below its description, others keep their indentation.
  static std::string fit_width(const std::string& help) {
    std::string out;
    for (size_t at = 0; at < help.size();) {
      const size_t end = std::min(help.find('\n', at), help.size());
      std::string line = help.substr(at, end - at);
      const bool described = line.size() > kDescriptions && line[0] == ' ' && line[kDescriptions - 1] == ' ';
      const size_t indent = described ? kDescriptions : std::min(line.find_first_not_of(' '), line.size());
      if (line.size() > kWidth) line = line.substr(0, indent) + wrapped(line.substr(indent), indent, kWidth);
      out += line + "\n";
      at = end + 1;
    }
    return out;
  }
};

// `nf help plot density` prints what `nf plot density --help` does.
int print_help(const CLI::App& app, const std::vector<std::string>& words) {
  const CLI::App* at = &app;
  std::string parents;
  for (const std::string& word : words) {
    std::vector<std::string> names;
    const CLI::App* next = nullptr;
    for (const CLI::App* sub : at->get_subcommands([](const CLI::App*) { return true; })) {
      if (sub->get_name() == word) next = sub;
      names.push_back(sub->get_name());
    }
    const std::string command = parents + (parents.empty() ? "" : " ") + at->get_name();
    if (!next) {
      const std::string near = nearest(word, names);
      throw Failure(command + " has no command " + word + (near.empty() ? "" : "; did you mean " + near + "?"),
                    "see `" + command + " --help`", kUsage);
    }
    parents = command;
    at = next;
  }
  std::printf("%s", at == &app
                        ? app.get_formatter()->make_help(&app, app.get_name(), CLI::AppFormatMode::Normal).c_str()
                        : at->help(parents).c_str());
  return kOk;
}
}  // namespace

std::shared_ptr<CLI::FormatterBase> help_format() { return std::make_shared<HelpFormat>(); }

std::string version_text() { return std::string("nf ") + nf::version_string(); }

void add_help(CLI::App& app, Action& action) {
  auto words = std::make_shared<std::vector<std::string>>();
  CLI::App* help = app.add_subcommand("help", "Show the help of a command");
  help->add_option("COMMAND", *words, "the command, such as train or plot density");
  help->footer("Examples:\n  nf help train\n  nf help plot density");
  help->callback([&app, words, &action] { action = [&app, words] { return print_help(app, *words); }; });
  CLI::App* version = app.add_subcommand("version", "Show the version and the SIMD target");
  version->callback([&action] {
    action = [] {
      std::printf("%s\n", version_text().c_str());
      return kOk;
    };
  });
}

}  // namespace cli
