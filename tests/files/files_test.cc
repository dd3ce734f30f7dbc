// Files of earlier builds: every model in this folder loads and computes the bits in files.txt, and every checkpoint
// continues with the bits of the run that wrote it. README.md says how the files were made and how to add one.
#include <filesystem>

#include "runtime/kernel/blas.h"
#include "tests/files/fixtures.h"
#include "tests/pins/table.h"

namespace libnf::test {
namespace {

using abi_test::Err;
using abi_test::ok;

constexpr const char* kModelValues[] = {"parameters", "log_prob", "forward", "inverse", "samples"};
constexpr const char* kCheckpointValues[] = {"log_prob when saved",     "parameters after resuming",
                                             "log_prob after resuming", "forward after resuming",
                                             "inverse after resuming",  "samples after resuming"};

Table& table() {
  static Table t(NF_FILES_DIR "/files.txt");
  return t;
}

std::string path_of(const PinCase& c) { return NF_FILES_DIR "/" + c.name + ".safetensors"; }

bool write_files() { return std::getenv("NF_FILES_WRITE") != nullptr; }

// Never overwrites a stored file, which must stay as the build of its time wrote it.
void write_once(const PinCase& c, bool checkpoint) {
  if (!write_files() || std::filesystem::exists(path_of(c))) return;
  const abi_test::Runtime rt = abi_test::runtime();
  const abi_test::Model m = abi_test::model(rt.get(), c.spec, 11);
  Err e;
  ASSERT_TRUE(ok(nf_model_set_note(m.get(), kNote, kNoteText, &e), e));
  abi_test::Target target;
  const abi_test::Trainer t = trainer_of(rt.get(), m.get(), c, target);
  train_steps(t.get(), m.get(), c, 0, checkpoint ? kStepsBefore : c.steps);
  if (checkpoint)
    ASSERT_TRUE(ok(nf_trainer_save(t.get(), path_of(c).c_str(), &e), e));
  else
    ASSERT_TRUE(ok(nf_model_save(m.get(), path_of(c).c_str(), &e), e));
}

abi_test::Model load(nf_runtime* rt, const std::string& path) {
  nf_model* m = nullptr;
  Err e;
  EXPECT_TRUE(ok(nf_model_load(rt, path.c_str(), nullptr, &m, &e), e)) << path;
  return abi_test::Model(m);
}

class Files : public testing::TestWithParam<std::tuple<int64_t, PinCase>> {
 protected:
  Files() { kernel::allow_blas(false); }  // the table is of our own products
  void SetUp() override {
    if (!table().writing() && !table().knows(target()))
      GTEST_SKIP() << "files.txt has no lines of SIMD target " << target();
  }
  std::string target() const { return hwy::TargetName(std::get<0>(GetParam())); }
  const PinCase& fixture() const { return std::get<1>(GetParam()); }
};

class ModelFiles : public Files {};
class CheckpointFiles : public Files {};

TEST_P(ModelFiles, LoadAndCompute) {
  const PinCase& c = fixture();
  write_once(c, false);
  const OnTarget on(std::get<0>(GetParam()));
  const abi_test::Runtime rt = abi_test::runtime();
  const abi_test::Model m = load(rt.get(), path_of(c));
  ASSERT_TRUE(m);
  EXPECT_STREQ(nf_model_note(m.get(), kNote), kNoteText);
  Err e;
  if (c.steps == 0) {
    const Numbers x = Numbers::rows(NF_F32, 40, abi_test::info(m.get()).event_size, c.rows, 99);
    ASSERT_TRUE(ok(nf_model_init_from_data(m.get(), x.view(), nullptr, &e), e));
  }
  Hashes hashes;
  hashes.of[kParameters] = hex(hash_parameters(m.get()));
  evaluate(m.get(), c, hashes);
  table().check(target(), c.name, {hashes.of, hashes.of + kOutputs}, kModelValues);
  // A file saved now has the same content.
  abi_test::TempDir dir;
  ASSERT_TRUE(ok(nf_model_save(m.get(), (dir / "again").c_str(), &e), e));
  const abi_test::Model again = load(rt.get(), dir / "again");
  ASSERT_TRUE(again);
  EXPECT_EQ(nf_model_hash(again.get()), nf_model_hash(m.get()));
  EXPECT_STREQ(nf_model_spec(again.get()), nf_model_spec(m.get()));
  EXPECT_STREQ(nf_model_note(again.get(), kNote), kNoteText);
}

// Resumes twice: into the model from the file, and into a new model of the spec as it was written then.
TEST_P(CheckpointFiles, Resume) {
  const PinCase& c = fixture();
  write_once(c, true);
  const OnTarget on(std::get<0>(GetParam()));
  const abi_test::Runtime rt = abi_test::runtime();
  Hashes hashes[2];
  std::string when_saved;
  for (const bool loaded : {true, false}) {
    const abi_test::Model m = loaded ? load(rt.get(), path_of(c)) : abi_test::model(rt.get(), c.spec, 99);
    ASSERT_TRUE(m);
    if (loaded) {
      Hashes saved;
      evaluate(m.get(), c, saved);
      when_saved = saved.of[kLogProb];
    }
    abi_test::Target target;
    const abi_test::Trainer t = trainer_of(rt.get(), m.get(), c, target);
    ASSERT_TRUE(t);
    Err e;
    ASSERT_TRUE(ok(nf_trainer_restore(t.get(), path_of(c).c_str(), &e), e));
    EXPECT_EQ(nf_trainer_step_count(t.get()), static_cast<uint64_t>(kStepsBefore));
    EXPECT_STREQ(nf_model_note(m.get(), kNote), kNoteText);
    train_steps(t.get(), m.get(), c, kStepsBefore, kStepsAfter);
    uint64_t parameters = hash_parameters(m.get());
    if (nf_trainer_use_average(t.get(), 1, nullptr) == NF_OK) parameters += hash_parameters(m.get());
    Hashes& h = hashes[loaded];
    h.of[kParameters] = hex(parameters);
    evaluate(m.get(), c, h);
  }
  EXPECT_TRUE(hashes[0] == hashes[1])
      << "a new model of the spec continues with different bits than the one in the file";
  Table::Values values = {when_saved};
  values.insert(values.end(), hashes[1].of, hashes[1].of + kOutputs);
  table().check(target(), c.name, values, kCheckpointValues);
}

std::string name_of_case(const testing::TestParamInfo<std::tuple<int64_t, PinCase>>& info) {
  return std::string(hwy::TargetName(std::get<0>(info.param))) + "_" + std::get<1>(info.param).name;
}

INSTANTIATE_TEST_SUITE_P(All, ModelFiles,
                         testing::Combine(testing::ValuesIn(hwy::SupportedAndGeneratedTargets()),
                                          testing::ValuesIn(model_fixtures())),
                         name_of_case);
INSTANTIATE_TEST_SUITE_P(All, CheckpointFiles,
                         testing::Combine(testing::ValuesIn(hwy::SupportedAndGeneratedTargets()),
                                          testing::ValuesIn(checkpoint_fixtures())),
                         name_of_case);

TEST(FilesTable, HasTheCases) {
  std::vector<std::string> names;
  for (const auto& list : {model_fixtures(), checkpoint_fixtures()})
    for (const PinCase& c : list) names.push_back(c.name);
  table().check_names(names);
}

}  // namespace
}  // namespace libnf::test
