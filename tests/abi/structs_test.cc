// R9 of nf.h: every public struct, with every size that a caller of any version may have, through a real call. What the
// templates behind it do with a struct that has grown is tested in tests/src/abi/structs_test.cc.
#include <fstream>
#include <functional>
#include <regex>
#include <set>
#include <sstream>

#include "tests/abi/abi_support.h"

namespace abi_test {
namespace {

constexpr size_t kRoom = 4200;
constexpr unsigned char kBeyond = 0x5a;

// A struct with what makes `call` succeed, and its size in the first version of the ABI that had it.
struct Entry {
  std::string name;
  bool written;
  std::vector<unsigned char> good;
  size_t first;
  std::function<nf_status(void* p, nf_error* e)> call;
};

// Sizes of structs that have grown since.
template <class T>
constexpr size_t kFirst = sizeof(T);
template <>
constexpr size_t kFirst<nf_batch> = offsetof(nf_batch, part);
template <>
constexpr size_t kFirst<nf_step_info> = offsetof(nf_step_info, diverged);

// The gap before a pointer, of which nobody says what it holds. Bytes are compared, so it is set to 0.
struct Gap {
  size_t first = 0, end = 0;
};
template <class T>
constexpr Gap kGap = {};
template <>
constexpr Gap kGap<nf_source> = {sizeof(uint32_t), offsetof(nf_source, user)};
template <>
constexpr Gap kGap<nf_collective> = {offsetof(nf_collective, world) + sizeof(int32_t), offsetof(nf_collective, user)};
template <class T>
void clear_gap(unsigned char* bytes) {
  std::fill(bytes + kGap<T>.first, bytes + kGap<T>.end, static_cast<unsigned char>(0));
}

template <class T, class Call>
Entry entry(const char* name, bool written, const T& good, Call call) {
  const auto* bytes = reinterpret_cast<const unsigned char*>(&good);
  std::vector<unsigned char> copy(bytes, bytes + sizeof good);
  clear_gap<T>(copy.data());
  return {name, written, std::move(copy), kFirst<T>, [call](void* p, nf_error* e) {
            const nf_status status = call(static_cast<T*>(p), e);
            if (status == NF_OK) clear_gap<T>(static_cast<unsigned char*>(p));
            return status;
          }};
}

// A struct that has grown since its first version.
Entry grown(Entry e, size_t first) {
  e.first = first;
  return e;
}

void serial(void*, uint32_t n, void (*body)(void*, uint32_t), void* ctx) {
  for (uint32_t i = 0; i < n; ++i) body(ctx, i);
}
int32_t sum(void*, void*, size_t, nf_dtype) { return 0; }
int32_t next(void* user, uint64_t, nf_batch* batch) {
  batch->x = static_cast<const nf_view*>(user);
  return 1;
}

class Structs : public Counted {
 protected:
  void SetUp() override {
    Counted::SetUp();
    Err e;
    m = model(rt.get(), kSpec);
    trained = model(rt.get(), kSpec);
    free_model = model(rt.get(), kSpec);
    s = session(m.get());
    t = trainer(trained.get());
    goal = target(rt.get());
    nf_batches* raw = nullptr;
    EXPECT_TRUE(ok(nf_batches_create(rt.get(), Batch(x.view()), nullptr, &raw, &e), e));
    b.reset(raw);
    csv = dir / "t.csv";
    std::ofstream(csv) << "a,b\n1,2\n3,4\n";
    nf_table* tb = nullptr;
    EXPECT_TRUE(ok(nf_table_open(rt.get(), csv.c_str(), nullptr, &tb, &e), e));
    table.reset(tb);
  }
  void TearDown() override {
    table.reset(), b.reset(), t.reset(), s.reset(), goal.reset();
    m.reset(), trained.reset(), free_model.reset();
    Counted::TearDown();
  }

  std::vector<Entry> entries() {
    nf_allocator host = hook.hook();
    nf_executor pool = NF_EXECUTOR_INIT;
    pool.concurrency = 2, pool.parallel_for = serial;
    nf_batch batch = NF_BATCH_INIT;
    batch.x = x.view();
    nf_sampling how = NF_SAMPLING_INIT;
    how.seed = 5;
    nf_collective alone = NF_COLLECTIVE_INIT;
    alone.world = 1, alone.allreduce_sum = sum;
    nf_source source = NF_SOURCE_INIT;
    source.user = x.view().operator->();
    source.next = next;
    nf_cotangents cotangents = NF_COTANGENTS_INIT;
    cotangents.log_prob = cot.view();
    Tensor::Borrowed& out = z.view();
    const nf_out out_view = *static_cast<const nf_out*>(out);
    return {
        entry("nf_allocator", false, host,
              [](nf_allocator* p, nf_error* e) {
                nf_runtime* made = nullptr;
                const nf_status status = nf_runtime_create(nullptr, p, nullptr, nullptr, nullptr, &made, e);
                nf_runtime_free(made);
                return status;
              }),
        entry("nf_executor", false, pool,
              [](nf_executor* p, nf_error* e) {
                nf_runtime* made = nullptr;
                const nf_status status = nf_runtime_create(nullptr, nullptr, p, nullptr, nullptr, &made, e);
                nf_runtime_free(made);
                return status;
              }),
        entry("nf_view", false, static_cast<const nf_view&>(x.view()),
              [this](nf_view* p, nf_error* e) { return nf_log_prob(s.get(), p, nullptr, lp.view(), e); }),
        entry("nf_out", false, out_view,
              [this](nf_out* p, nf_error* e) { return nf_forward(s.get(), x.view(), nullptr, p, nullptr, e); }),
        entry("nf_batch", false, batch,
              [this](nf_batch* p, nf_error* e) { return nf_train_step(t.get(), p, nullptr, e); }),
        entry("nf_sampling", false, how,
              [this](nf_sampling* p, nf_error* e) { return nf_sample(s.get(), p, nullptr, z.view(), nullptr, e); }),
        entry("nf_collective", false, alone,
              [this](nf_collective* p, nf_error* e) {
                nf_trainer* made = nullptr;
                const nf_status status = nf_trainer_create(free_model.get(), nullptr, p, &made, e);
                nf_trainer_free(made);
                return status;
              }),
        entry("nf_source", false, source,
              [this](nf_source* p, nf_error* e) {
                return nf_train_run(t.get(), p, nf_trainer_step_count(t.get()) + 1, nullptr, nullptr, e);
              }),
        entry("nf_cotangents", false, cotangents,
              [this](nf_cotangents* p, nf_error* e) {
                const nf_status status = nf_trainer_accumulate(t.get(), Batch(x.view()), p, e);
                EXPECT_EQ(nf_trainer_discard(t.get(), nullptr), NF_OK);
                return status;
              }),
        grown(entry("nf_fit_info", true, nf_fit_info NF_FIT_INFO_INIT,
                    [this](nf_fit_info* p, nf_error* e) {
                      const Options o = options({{"fit.steps", "1"}});
                      return nf_fit(free_model.get(), Batch(x.view()), nullptr, o.get(), nullptr, nullptr, p, e);
                    }),
              offsetof(nf_fit_info, bad_rows)),
        entry("nf_view", true, nf_view NF_VIEW_INIT,
              [this](nf_view* p, nf_error* e) { return nf_table_view(table.get(), p, e); }),
        entry("nf_batch", true, nf_batch NF_BATCH_INIT,
              [this](nf_batch* p, nf_error* e) { return nf_batches_get(b.get(), 0, p, e); }),
        entry("nf_source", true, nf_source NF_SOURCE_INIT,
              [this](nf_source* p, nf_error* e) { return nf_batches_source(b.get(), p, e); }),
        entry("nf_model_info", true, nf_model_info NF_MODEL_INFO_INIT,
              [this](nf_model_info* p, nf_error* e) { return nf_model_get_info(m.get(), p, e); }),
        entry("nf_layer_info", true, nf_layer_info NF_LAYER_INFO_INIT,
              [this](nf_layer_info* p, nf_error* e) { return nf_model_layer(m.get(), 0, p, e); }),
        entry("nf_tensor_info", true, nf_tensor_info NF_TENSOR_INFO_INIT,
              [this](nf_tensor_info* p, nf_error* e) { return nf_model_tensor(m.get(), 0, p, e); }),
        entry("nf_step_info", true, nf_step_info NF_STEP_INFO_INIT,
              [this](nf_step_info* p, nf_error* e) { return nf_train_step(t.get(), Batch(x.view()), p, e); }),
        entry("nf_target_info", true, nf_target_info NF_TARGET_INFO_INIT,
              [this](nf_target_info* p, nf_error* e) { return nf_target_get_info(goal.get(), p, e); }),
        grown(entry("nf_importance_info", true, nf_importance_info NF_IMPORTANCE_INFO_INIT,
                    [this](nf_importance_info* p, nf_error* e) {
                      return nf_importance(s.get(), goal.get(), 1, 0, 64, nullptr, nullptr, nullptr, p, e);
                    }),
              offsetof(nf_importance_info, pareto_k)),
        entry("nf_coverage_info", true, nf_coverage_info NF_COVERAGE_INFO_INIT,
              [this](nf_coverage_info* p, nf_error* e) {
                return nf_importance_coverage(weights.view(), weights.view(), p, e);
              }),
        entry("nf_score_info", true, nf_score_info NF_SCORE_INFO_INIT,
              [](nf_score_info* p, nf_error* e) {
                const double scores[] = {-1, -2};
                const nf_view log_prob = nf_vec_f64(scores, 2);
                return nf_score_mean(&log_prob, nullptr, p, e);
              }),
        entry("nf_metropolis_info", true, nf_metropolis_info NF_METROPOLIS_INFO_INIT,
              [this](nf_metropolis_info* p, nf_error* e) {
                return nf_metropolis(rt.get(), goal.get(), nullptr, nullptr, nullptr, nullptr, chains.view(), p, e);
              }),
        // Written by a call that fails; reported as success here.
        entry("nf_error", true, nf_error NF_ERROR_INIT,
              [this](nf_error* p, nf_error* e) {
                const nf_status status = nf_log_prob(s.get(), chains.view(), nullptr, lp.view(), p);
                if (status == NF_ERR_SHAPE) return nf_status{NF_OK};
                return nf_log_prob(s.get(), nullptr, nullptr, lp.view(), e);  // fills in e, with the same status
              }),
    };
  }

  CountingAllocator hook;
  TempDir dir;
  std::string csv;
  Model m, trained, free_model;
  Session s;
  Trainer t;
  Target goal;
  Batches b;
  Table table;
  Tensor x = banana(8), z{{8, 2}}, lp{{8}}, cot{{8}, -0.125f}, weights{{8}, -1.0f}, chains{{3, 2, 2}};
};

struct Size {
  std::string what;
  uint32_t size;
  bool fine;          // a caller can have it
  bool asks = false;  // its last byte is not 0
};

TEST_F(Structs, OfEverySize) {
  for (const Entry& entry : entries()) {
    const auto known = static_cast<uint32_t>(entry.good.size()), first = static_cast<uint32_t>(entry.first);
    for (const Size& z : {Size{"0", 0, false},
                          {"4", 4, false},
                          {"first - 1", first - 1, false},
                          {"first", first, true},
                          {"today's", known, true},
                          {"8 more, 0", known + 8, true},
                          {"8 more", known + 8, true, true},
                          {"1 more", known + 1, true, true},
                          {"largest, 0", 4096, true},
                          {"largest", 4096, true, true},
                          {"too large", 4097, false},
                          {"absurd", UINT32_MAX, false}}) {
      SCOPED_TRACE((entry.written ? "writes " : "reads ") + entry.name + ", size " + z.what);
      alignas(16) unsigned char room[kRoom];
      std::fill_n(room, kRoom, kBeyond);
      const size_t end = std::min<size_t>(z.size, 4097);
      std::fill_n(room, end, static_cast<unsigned char>(0));
      memcpy(room, entry.good.data(), std::min<size_t>(std::max<size_t>(z.size, 4), known));
      memcpy(room, &z.size, sizeof z.size);
      if (z.asks) room[end - 1] = 1;
      const std::vector<unsigned char> before(room, room + kRoom);
      Err e;
      const nf_status status = entry.call(room, &e);
      uint32_t size;
      memcpy(&size, room, sizeof size);
      EXPECT_EQ(size, z.size) << "struct_size is the caller's";
      EXPECT_TRUE(std::equal(room + std::max<size_t>(end, 4), room + kRoom,
                             before.begin() + std::max<long>(static_cast<long>(end), 4)))
          << "written beyond the struct";
      if (!z.fine || (z.asks && !entry.written)) {
        EXPECT_TRUE(failed(NF_ERR_ARGUMENT, status, e,
                           entry.name == "nf_error" ? ""
                           : z.fine                 ? "does not know"
                                                    : "struct_size"));
        EXPECT_TRUE(std::equal(room, room + kRoom, before.begin())) << "written by a call that fails";
        continue;
      }
      ASSERT_TRUE(ok(status, e));
      if (!entry.written) {
        EXPECT_TRUE(std::equal(room, room + kRoom, before.begin())) << "an input was written";
        continue;
      }
      EXPECT_FALSE(std::equal(room, room + known, before.begin())) << "nothing was written";
      EXPECT_TRUE(std::all_of(room + known, room + std::max<size_t>(end, known), [](unsigned char c) {
        return c == 0;
      })) << "fields that this library does not know are 0";
    }
  }
}

TEST_F(Structs, AllAreHere) {
  std::set<std::string> declared, here;
  for (const char* name : {"nf.h", "nf_infer.h", "nf_data.h"}) {
    std::ifstream in(std::string(NF_INCLUDE) + "/" + name);
    std::stringstream text;
    text << in.rdbuf();
    const std::string all = text.str();
    const std::regex pattern(R"(typedef struct (nf_\w+) \{)");
    for (std::sregex_iterator i(all.begin(), all.end(), pattern), end; i != end; ++i) declared.insert((*i)[1]);
  }
  for (const Entry& entry : entries()) here.insert(entry.name);
  EXPECT_EQ(here, declared) << "a struct of the headers needs its row in structs_test.cc";
}

}  // namespace
}  // namespace abi_test
