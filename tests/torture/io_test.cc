// Every system call of saving and loading fails in turn, once and from then on: models, checkpoints, the checkpoints of a
// fit, tables. The status is NF_ERR_IO with the errno, or success if the call is repeated; the file on disk is the old or
// the new one; no temporary file and no memory stays behind; and then the same call succeeds. NF_LONG=1 tries more errors.
#include <cerrno>
#include <fstream>
#include <functional>
#include <set>

#include "runtime/core/fault.h"
#include "tests/abi/abi_support.h"

#ifdef NF_FAULTS
namespace abi_test {
namespace {

using libnf::FaultScope;
using libnf::kFaultShort;

std::string get(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

struct Job {
  const char* name;
  std::string file;  // that it writes; "" if it only reads
  std::function<nf_status(nf_error*)> run;
};

class Io : public Counted {
 protected:
  std::set<std::string> files() const {
    std::set<std::string> all;
    for (const auto& entry : std::filesystem::directory_iterator(dir / ".")) all.insert(entry.path().filename());
    return all;
  }
  // Makes call 1, 2, ... to a point fail until the job succeeds without having met it.
  void fail_each(const Job& job, const char* point, int effect, bool forever) {
    SCOPED_TRACE(std::string(job.name) + ", " + point + ", effect " + std::to_string(effect) +
                 (forever ? ", forever" : ""));
    const bool harmless = effect == EINTR || effect == kFaultShort;
    Err e;
    for (int64_t nth = 1;; ++nth) {
      ASSERT_LT(nth, 1000) << "never succeeded";
      const std::string before = job.file.empty() ? "" : get(job.file);
      const std::set<std::string> names = files();
      const int64_t live = allocator.live;
      nf_status status;
      int64_t hits;
      e.message[0] = 0;
      {
        const FaultScope plan(point, nth, effect, forever);
        status = job.run(&e);
        hits = plan.hits();
      }
      EXPECT_EQ(allocator.live, live) << "call " << nth << " leaked";
      EXPECT_EQ(files(), names) << "call " << nth << " left a file";
      if (status != NF_OK) {
        EXPECT_FALSE(harmless) << e.message;
        EXPECT_TRUE(failed(NF_ERR_IO, status, e)) << "call " << nth;
        EXPECT_EQ(e.os_errno, effect) << e.message;
        // After the point of no return, the message says that the file was saved.
        if (!job.file.empty() && std::string(e.message).rfind("saved ", 0) != 0) {
          EXPECT_EQ(get(job.file), before) << "call " << nth << ": " << e.message;
        }
      }
      EXPECT_TRUE(job.file.empty() || !get(job.file).empty());
      if (hits < nth) {
        EXPECT_EQ(status, NF_OK) << e.message;
        break;
      }
    }
    EXPECT_TRUE(ok(job.run(&e), e)) << "afterwards";
  }
  TempDir dir;
};

template <class T>
nf_status made(nf_status status, T*& p, void (*free)(T*)) {
  if (status == NF_OK) free(p);
  return status;
}

TEST_F(Io, EveryCallMayFail) {
  const Model m = model(rt.get());
  const Trainer t = trainer(m.get());
  Tensor x = banana(3000);
  Err e;
  ASSERT_TRUE(ok(nf_train_step(t.get(), Batch(x.view()), nullptr, &e), e));
  const std::string saved = dir / "m.safetensors", checkpoint = dir / "c.safetensors", run = dir / "run.safetensors",
                    csv = dir / "t.csv", npy = dir / "t.npy";
  ASSERT_TRUE(ok(nf_model_save(m.get(), saved.c_str(), &e), e));
  ASSERT_TRUE(ok(nf_trainer_save(t.get(), checkpoint.c_str(), &e), e));
  ASSERT_TRUE(ok(nf_table_save(x.view(), csv.c_str(), nullptr, &e), e));
  ASSERT_TRUE(ok(nf_table_save(x.view(), npy.c_str(), nullptr, &e), e));
  const Options mapped = options({{"table.map", "on"}});
  const Options fit = options({{"fit.steps", "4"},
                               {"fit.valid_every", "2"},
                               {"fit.keep_best", "true"},
                               {"fit.checkpoint", run.c_str()},
                               {"batches.batch", "50"}}),
                resume = options({{"fit.steps", "4"},
                                  {"fit.valid_every", "2"},
                                  {"fit.keep_best", "true"},
                                  {"fit.resume", "true"},
                                  {"fit.checkpoint", run.c_str()},
                                  {"batches.batch", "50"}});
  const auto fitted = [&](const nf_options* o, nf_error* err) {
    const Model fresh = model(rt.get());
    return nf_fit(fresh.get(), Batch(x.view()), nullptr, o, nullptr, nullptr, nullptr, err);
  };
  ASSERT_TRUE(ok(fitted(fit.get(), &e), e));
  const std::vector<Job> jobs = {
      {"nf_model_save", saved, [&](nf_error* err) { return nf_model_save(m.get(), saved.c_str(), err); }},
      {"nf_model_load", "",
       [&](nf_error* err) {
         nf_model* p = nullptr;
         return made(nf_model_load(rt.get(), saved.c_str(), nullptr, &p, err), p, nf_model_free);
       }},
      {"nf_trainer_save", checkpoint, [&](nf_error* err) { return nf_trainer_save(t.get(), checkpoint.c_str(), err); }},
      {"nf_trainer_restore", "",
       [&](nf_error* err) {
         const uint64_t hash = nf_model_hash(m.get()), steps = nf_trainer_step_count(t.get());
         const nf_status status = nf_trainer_restore(t.get(), checkpoint.c_str(), err);
         EXPECT_EQ(nf_model_hash(m.get()), hash);
         EXPECT_EQ(nf_trainer_step_count(t.get()), steps);
         return status;
       }},
      {"nf_table_open of text", "",
       [&](nf_error* err) {
         nf_table* p = nullptr;
         return made(nf_table_open(rt.get(), csv.c_str(), nullptr, &p, err), p, nf_table_free);
       }},
      {"nf_table_open of an array", "",
       [&](nf_error* err) {
         nf_table* p = nullptr;
         return made(nf_table_open(rt.get(), npy.c_str(), nullptr, &p, err), p, nf_table_free);
       }},
      {"nf_table_open in place", "",
       [&](nf_error* err) {
         nf_table* p = nullptr;
         return made(nf_table_open(rt.get(), npy.c_str(), mapped.get(), &p, err), p, nf_table_free);
       }},
      {"nf_table_save as text", csv, [&](nf_error* err) { return nf_table_save(x.view(), csv.c_str(), nullptr, err); }},
      {"nf_table_save as an array", npy,
       [&](nf_error* err) { return nf_table_save(x.view(), npy.c_str(), nullptr, err); }},
      {"nf_fit that resumes", "", [&](nf_error* err) { return fitted(resume.get(), err); }},
  };
  const bool all = std::getenv("NF_LONG") != nullptr;
  const std::vector<int> effects =
      all ? std::vector<int>{EIO, ENOSPC, EAGAIN, EINTR, kFaultShort} : std::vector<int>{EIO, EINTR, kFaultShort};
  for (const Job& job : jobs)
    for (const char* point :
         {"io.open", "io.stat", "io.read", "io.write", "io.fsync", "io.close", "io.rename", "io.map"})
      for (const int effect : effects)
        for (const bool forever : {false, true}) {
          if (effect == EINTR && (forever || std::string(point) == "io.map")) continue;  // calls are repeated for ever
          fail_each(job, point, effect, forever);
        }
}

// Checkpoints of a run: several saves, one after the other, and a link to the best. Whatever fails, what is on disk resumes.
TEST_F(Io, AFitThatFailsLeavesACheckpointToResume) {
  Tensor x = banana(200);
  Err e;
  const auto run = [&](const std::string& path, const char* resume, nf_error* err, uint64_t* hash) {
    const Options o = options({{"fit.steps", "6"},
                               {"fit.valid_every", "2"},
                               {"fit.keep_best", "true"},
                               {"fit.resume", resume},
                               {"fit.checkpoint", path.c_str()},
                               {"batches.batch", "50"}});
    const Model m = model(rt.get());
    const nf_status status = nf_fit(m.get(), Batch(x.view()), nullptr, o.get(), nullptr, nullptr, nullptr, err);
    *hash = nf_model_hash(m.get());
    return status;
  };
  uint64_t whole = 0, hash = 0;
  ASSERT_TRUE(ok(run(dir / "whole", "false", &e, &whole), e));
  const std::string path = dir / "c";
  for (const bool forever : {false, true})
    for (int64_t nth = 1;; ++nth) {
      ASSERT_LT(nth, 1000);
      for (const char* name : {"c", "c.best"}) std::filesystem::remove(dir / name);
      nf_status status;
      int64_t hits;
      {
        const FaultScope plan("io.", nth, ENOSPC, forever);
        status = run(path, "false", &e, &hash);
        hits = plan.hits();
      }
      EXPECT_TRUE(status == NF_OK || failed(NF_ERR_IO, status, e)) << "call " << nth;
      for (const std::string& name : files())
        EXPECT_TRUE(name == "whole" || name == "whole.best" || name == "c" || name == "c.best") << name;
      ASSERT_TRUE(ok(run(path, "true", &e, &hash), e)) << "after call " << nth;
      EXPECT_EQ(hash, whole) << "other bits after call " << nth;
      if (hits < nth) break;
    }
}

}  // namespace
}  // namespace abi_test
#endif
