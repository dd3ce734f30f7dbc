// Shared by `nf train` and `nf fit-target` to stop and resume runs: which files a run may write, opening a checkpoint
// of the same run, keeping the options of its first part.
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "src/cli/common/output.h"
#include "src/cli/common/settings.h"
#include "src/cli/common/text.h"
#include "src/cli/run/state.h"

namespace cli {

// ---- files ----------------------------------------------------------------------------
// Refuses outputs that would overwrite an input or each other, and outputs whose folder is missing or not writable.
void check_destinations(const std::vector<Named>& inputs, const std::vector<Named>& outputs);
// Refuses to overwrite a file that is not a model.
void check_replaced(const nf::Runtime& runtime, const Settings& settings, const std::string& path);
// Renames the checkpoint of an unfinished run, so that a new run does not destroy it.
void set_aside(const nf::Runtime& runtime, const Settings& settings, const std::string& checkpoint, bool verbose,
               const Screen& screen);

// ---- resuming ----------------------------------------------------------------------------------
// How a run resumes: unchanged, or from its best validation, possibly with other options.
enum class Resume { exact, exact_or_best, best };

struct Checkpoint {
  nf::Model model;
  RunState state;
};
// Failure if the checkpoint is from another command.
Checkpoint open_checkpoint(const nf::Runtime& runtime, const Settings& settings, const std::string& path,
                           const std::string& command);

// Takes over the options of the first part; options given again must agree.
void adopt_options(Settings& settings, const RunState& state, Resume resume);
void remember_options(const Settings& settings, RunState& state);

// Refuse a run that differs from the first part, and name the difference.
void check_same_spec(const nf::Model& given, const nf::Model& trained, const std::string& path);
void check_same(const RunState& state, const std::map<std::string, std::string>& fixed);
[[noreturn]] void differs(const std::string& what, const std::string& was, const std::string& is, Resume resume);

}  // namespace cli
