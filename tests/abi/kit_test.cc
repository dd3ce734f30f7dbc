// The training kit through the ABI: averaged parameters, mapped tables, messages to the host's log.
#include <fstream>

#include "tests/abi/abi_support.h"

namespace abi_test {
namespace {

struct Notes {
  std::vector<std::pair<int32_t, std::string>> lines;
  static void take(void* user, int32_t level, const char* text) {
    static_cast<Notes*>(user)->lines.emplace_back(level, text);
  }
  bool has(int32_t level, const std::string& part) const {
    return std::any_of(lines.begin(), lines.end(),
                       [&](const auto& l) { return l.first == level && l.second.find(part) != std::string::npos; });
  }
};

Runtime noted(Notes& notes, const nf_options* o = nullptr) {
  nf_runtime* rt = nullptr;
  Err e;
  EXPECT_TRUE(ok(nf_runtime_create(o, nullptr, nullptr, Notes::take, &notes, &rt, &e), e));
  return Runtime(rt);
}

Table open(nf_runtime* rt, const std::string& path, const nf_options* o = nullptr) {
  nf_table* t = nullptr;
  Err e;
  EXPECT_TRUE(ok(nf_table_open(rt, path.c_str(), o, &t, &e), e));
  return Table(t);
}

Batches batches(nf_runtime* rt, const nf_view* x, const nf_options* o) {
  nf_batches* b = nullptr;
  Err e;
  EXPECT_TRUE(ok(nf_batches_create(rt, Batch(x), o, &b, &e), e));
  return Batches(b);
}

TEST(Kit, AveragesAreMeasuredSavedAndResumed) {
  const TempDir dir;
  const std::string path = dir / "c.safetensors";
  const Runtime rt = runtime();
  const Model m = model(rt.get()), same = model(rt.get()), plain = model(rt.get());
  const Options o = options({{"trainer.ema_decay", "0.9"}, {"trainer.lr", "0.01"}}),
                other = options({{"trainer.lr", "0.01"}});
  Trainer t = trainer(m.get(), o.get());
  Err e;
  Tensor x = banana(64);
  const auto step = [&](const Trainer& trainer) {
    EXPECT_TRUE(ok(nf_train_step(trainer.get(), Batch(x.view()), nullptr, &e), e));
  };
  for (int k = 0; k < 5; ++k) step(t);
  const uint64_t last = nf_model_hash(m.get());
  ASSERT_TRUE(ok(nf_trainer_save(t.get(), path.c_str(), &e), e));
  ASSERT_TRUE(ok(nf_trainer_use_average(t.get(), 1, &e), e));
  const uint64_t average = nf_model_hash(m.get());
  EXPECT_NE(average, last);
  EXPECT_TRUE(failed(NF_ERR_STATE, nf_trainer_save(t.get(), path.c_str(), &e), e, "use_average"));
  EXPECT_TRUE(failed(NF_ERR_ARGUMENT, nf_trainer_use_average(t.get(), 2, &e), e, "0 or 1"));
  ASSERT_TRUE(ok(nf_trainer_use_average(t.get(), 0, &e), e));
  EXPECT_EQ(nf_model_hash(m.get()), last);
  step(t);
  ASSERT_TRUE(ok(nf_trainer_use_average(t.get(), 1, &e), e));

  const Trainer again = trainer(same.get(), o.get());
  ASSERT_TRUE(ok(nf_trainer_restore(again.get(), path.c_str(), &e), e));
  EXPECT_EQ(nf_model_hash(same.get()), last);
  step(again);
  ASSERT_TRUE(ok(nf_trainer_use_average(again.get(), 1, &e), e));
  EXPECT_EQ(nf_model_hash(same.get()), nf_model_hash(m.get())) << "the average goes on where it was";

  const Trainer without = trainer(plain.get(), other.get());
  EXPECT_TRUE(failed(NF_ERR_STATE, nf_trainer_restore(without.get(), path.c_str(), &e), e, "ema_decay"));
  EXPECT_TRUE(failed(NF_ERR_STATE, nf_trainer_use_average(without.get(), 1, &e), e, "ema_decay"));
  t.reset();
  EXPECT_NE(nf_model_hash(m.get()), last) << "the model keeps the average";
}

TEST(Kit, SteppingAfterAWriteToTheAverageUsesTheParameters) {
  const Runtime rt = runtime();
  const Model a = model(rt.get()), b = model(rt.get());
  const Options o = options({{"trainer.ema_decay", "0.9"}});
  const Trainer ta = trainer(a.get(), o.get()), tb = trainer(b.get(), o.get());
  Err e;
  Tensor x = banana(64);
  for (int k = 0; k < 4; ++k) {
    for (const Trainer* t : {&ta, &tb}) ASSERT_TRUE(ok(nf_train_step(t->get(), Batch(x.view()), nullptr, &e), e));
    ASSERT_TRUE(ok(nf_trainer_use_average(ta.get(), 1, &e), e));
    nf_tensor_info t = NF_TENSOR_INFO_INIT;
    ASSERT_TRUE(ok(nf_model_tensor(a.get(), 0, &t, &e), e));
    Tensor zeros(std::vector<int64_t>(t.shape, t.shape + t.ndim));
    ASSERT_TRUE(ok(nf_model_set_tensor(a.get(), t.name, zeros.view(), &e), e));
  }
  ASSERT_TRUE(ok(nf_trainer_use_average(ta.get(), 0, &e), e));
  EXPECT_EQ(nf_model_hash(a.get()), nf_model_hash(b.get()));
}

TEST(Kit, MappedTablesGiveTheSameBatches) {
  const TempDir dir;
  Notes notes;
  const Runtime rt = noted(notes);
  Tensor x = banana(3000);
  Err e;
  const std::string path = dir / "x.npy";
  ASSERT_TRUE(ok(nf_table_save(x.view(), path.c_str(), nullptr, &e), e));
  Table mapped = open(rt.get(), path, options({{"table.map", "on"}}).get());
  const Table read = open(rt.get(), path);
  EXPECT_EQ(nf_table_is_mapped(mapped.get()), 1);
  EXPECT_EQ(nf_table_is_mapped(read.get()), 0);
  EXPECT_EQ(nf_table_is_mapped(nullptr), 0);
  EXPECT_TRUE(notes.has(0, "in place")) << "the log says so";
  nf_view from_file = NF_VIEW_INIT, from_memory = NF_VIEW_INIT;
  ASSERT_TRUE(ok(nf_table_view(mapped.get(), &from_file, &e), e));
  ASSERT_TRUE(ok(nf_table_view(read.get(), &from_memory, &e), e));
  const Options o = options(
      {{"batches.order", "blocks"}, {"batches.block", "16"}, {"batches.batch", "100"}, {"batches.part_end", "0.9"}});
  const Batches a = batches(rt.get(), &from_file, o.get()), b = batches(rt.get(), &from_memory, o.get());
  mapped.reset();  // its file stays mapped for the batches
  const auto bits = [&](const Batches& from, uint64_t step) {
    nf_batch v = NF_BATCH_INIT;
    EXPECT_TRUE(ok(nf_batches_get(from.get(), step, &v, &e), e));
    const auto* data = static_cast<const float*>(v.x->data);
    return std::vector<float>(data, data + v.x->shape[0] * v.x->shape[1]);
  };
  for (uint64_t k = 0; k < 2 * nf_batches_per_epoch(a.get()); ++k)
    ASSERT_TRUE(same_bits(bits(a, k), bits(b, k))) << "step " << k;

  std::filesystem::resize_file(path, 5000);
  nf_batch v = NF_BATCH_INIT;
  EXPECT_TRUE(failed(NF_ERR_IO, nf_batches_get(a.get(), 0, &v, &e), e, "truncated"));
  EXPECT_EQ(bits(b, 0).size(), 200u);
}

TEST(Kit, TablesKeepTheShapeOfTheArray) {
  const TempDir dir;
  const Runtime rt = runtime();
  const std::string path = dir / "x.npy";
  std::string head = "{'descr': '<f4', 'fortran_order': False, 'shape': (5, 2, 3, 4), }";
  head.append(117 - head.size(), ' ');
  head += '\n';
  std::ofstream file(path, std::ios::binary);
  file << std::string("\x93NUMPY\x01\x00\x76\x00", 10) << head << std::string(5 * 24 * sizeof(float), '\0');
  file.close();
  const auto shape = [](const Table& t) {
    int64_t extents[4] = {};
    const int32_t rank = nf_table_shape(t.get(), extents);
    EXPECT_EQ(nf_table_shape(t.get(), nullptr), rank);
    return std::vector<int64_t>(extents, extents + rank);
  };
  for (const char* map : {"on", "off"}) {
    EXPECT_EQ(shape(open(rt.get(), path, options({{"table.map", map}}).get())), (std::vector<int64_t>{5, 2, 3, 4}))
        << map;
    EXPECT_EQ(shape(open(rt.get(), path, options({{"table.map", map}, {"table.columns", "0,2"}}).get())),
              (std::vector<int64_t>{5, 2}))
        << map;
  }
  Tensor x = banana(7);
  Err e;
  ASSERT_TRUE(ok(nf_table_save(x.view(), (dir / "x.csv").c_str(), nullptr, &e), e));
  EXPECT_EQ(shape(open(rt.get(), dir / "x.csv")), (std::vector<int64_t>{7, 2}));
  EXPECT_EQ(nf_table_shape(nullptr, nullptr), 0);
}

TEST(Kit, TheLogReportsWhatWasChosen) {
  const TempDir dir;
  Notes notes;
  const Runtime rt = noted(notes, options({{"runtime.threads", "2"}}).get());
  EXPECT_TRUE(notes.has(0, nf_version_string()));
  EXPECT_TRUE(notes.has(0, "2 threads"));
  Tensor x = banana(10);
  Err e;
  const std::string path = dir / "x.csv";
  ASSERT_TRUE(ok(nf_table_save(x.view(), path.c_str(), nullptr, &e), e));
  const Table t = open(rt.get(), path, options({{"table.map", "on"}}).get());
  EXPECT_EQ(nf_table_is_mapped(t.get()), 0);
  EXPECT_TRUE(notes.has(1, "not mapped: it is not a .npy file"));
  notes.lines.clear();
  const Batches b = batches(rt.get(), x.view(), options({{"batches.batch", "100"}}).get());
  EXPECT_TRUE(notes.has(0, "10 rows"));
  EXPECT_EQ(notes.lines.size(), 1u);
}

}  // namespace
}  // namespace abi_test
