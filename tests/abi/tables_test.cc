// Tables from memory and pipes, what files hold, where rows stand in them; scores of training rows.
#include <sys/stat.h>

#include <cmath>
#include <fstream>
#include <thread>

#include "nf/nf_data.h"
#include "tests/abi/abi_support.h"

namespace abi_test {
namespace {

class Tables : public Counted {
 protected:
  Table parse(const std::string& bytes, std::initializer_list<std::pair<const char*, const char*>> o = {}) {
    nf_table* t = nullptr;
    Err e;
    EXPECT_TRUE(ok(nf_table_parse(rt.get(), bytes.data(), bytes.size(), "rows.csv", options(o).get(), &t, &e), e));
    return Table(t);
  }
  std::string refused(const std::string& bytes, std::initializer_list<std::pair<const char*, const char*>> o = {}) {
    nf_table* t = nullptr;
    Err e;
    EXPECT_NE(nf_table_parse(rt.get(), bytes.data(), bytes.size(), "rows.csv", options(o).get(), &t, &e), NF_OK);
    EXPECT_EQ(t, nullptr);
    return e.message;
  }
  TempDir dir;
};

int32_t append(void* user, const void* bytes, size_t n) {
  static_cast<std::string*>(user)->append(static_cast<const char*>(bytes), n);
  return 0;
}

TEST_F(Tables, RowsLinesAndIds) {
  const Table t = parse("id,x,y\nn0,1,2\n\n\"n1\",3,\nn2,5,6\n", {{"table.missing", "drop"}, {"table.id", "id"}});
  Err e;
  nf_view v = NF_VIEW_INIT;
  ASSERT_TRUE(ok(nf_table_view(t.get(), &v, &e), e));
  EXPECT_EQ(v.shape[0], 2);
  EXPECT_EQ(v.shape[1], 2);
  EXPECT_STREQ(nf_table_column(t.get(), 1), "y");
  EXPECT_EQ(nf_table_row(t.get(), 1), 2);
  EXPECT_EQ(nf_table_line(t.get(), 1), 5);
  EXPECT_STREQ(nf_table_row_id(t.get(), 1), "n2");
  for (const int64_t bad : {-1, 2}) {
    EXPECT_EQ(nf_table_row(t.get(), bad), -1);
    EXPECT_EQ(nf_table_line(t.get(), bad), 0);
    EXPECT_EQ(nf_table_row_id(t.get(), bad), nullptr);
  }
  EXPECT_EQ(nf_table_row(nullptr, 0), -1);
  EXPECT_EQ(nf_table_line(nullptr, 0), 0);
  EXPECT_EQ(nf_table_row_id(nullptr, 0), nullptr);
  EXPECT_EQ(nf_table_row_id(parse("1\n").get(), 0), nullptr);
}

TEST_F(Tables, OptionsAreChecked) {
  EXPECT_NE(refused("1;2\n", {{"table.separator", "x"}}).find("is none of: comma semicolon"), std::string::npos);
  EXPECT_NE(refused("1;2\n", {{"table.decimal", "x"}}).find("is none of: point comma"), std::string::npos);
  EXPECT_NE(refused("1;2\n", {{"table.where", "0 >"}}).find("expected a value"), std::string::npos);
  EXPECT_NE(refused("1;2\n", {{"table.id", "0,1"}}).find("more than one column"), std::string::npos);
  EXPECT_NE(refused("1;2\n", {{"table.array", "X"}}).find("not a .npz"), std::string::npos);
  EXPECT_NE(refused("").find("rows.csv: the file is empty"), std::string::npos);
  EXPECT_NE(refused("a\nx\n").find("rows.csv: line 2, column 1 ('a'): 'x' is not a number"), std::string::npos);
  const Table t =
      parse("1,5;2\n", {{"table.decimal", "comma"}, {"table.separator", "semicolon"}, {"table.header", "absent"}});
  nf_view v = NF_VIEW_INIT;
  Err e;
  ASSERT_TRUE(ok(nf_table_view(t.get(), &v, &e), e));
  EXPECT_EQ(static_cast<const float*>(v.data)[0], 1.5f);
}

TEST_F(Tables, Describe) {
  std::ofstream(dir / "x.csv") << "a;b\n1;u\n2;v\n";
  std::string text;
  Err e;
  ASSERT_TRUE(ok(nf_table_describe(rt.get(), (dir / "x.csv").c_str(), nullptr, 0, nullptr, append, &text, &e), e));
  EXPECT_EQ(text,
            R"({"format":"csv","columns":2,"separator":";","header":true,"names":["a","b"],"numeric":[true,false]})");
  text.clear();
  ASSERT_TRUE(ok(nf_table_save(banana(10).view(), (dir / "x.npy").c_str(), nullptr, &e), e));
  ASSERT_TRUE(ok(nf_table_describe(rt.get(), (dir / "x.npy").c_str(), nullptr, 0, nullptr, append, &text, &e), e));
  EXPECT_EQ(text, R"({"format":"npy","columns":2,"dtype":"float32"})");
  EXPECT_TRUE(failed(NF_ERR_FORMAT, nf_table_describe(rt.get(), "f", "0,1\n2,3\n", 8, nullptr, append, &text, &e), e,
                     "f: is line 1"));
  EXPECT_TRUE(
      failed(NF_ERR_IO, nf_table_describe(rt.get(), "none", nullptr, 0, nullptr, append, &text, &e), e, "none"));
}

TEST_F(Tables, Pipes) {
  const std::string fifo = dir / "fifo";
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  std::string content = "a,b\n";
  for (int i = 0; i < 50000; ++i) content += std::to_string(i) + ",0.5\n";
  std::thread writer([&] { std::ofstream(fifo) << content; });
  nf_table* t = nullptr;
  Err e;
  EXPECT_TRUE(ok(nf_table_open(rt.get(), fifo.c_str(), nullptr, &t, &e), e));
  writer.join();
  const Table table(t);
  EXPECT_EQ(nf_table_line(t, 49999), 50001);
}

TEST_F(Tables, BatchesSayWhichRowsTheyHold) {
  Tensor x({10, 1});
  for (int i = 0; i < 10; ++i) x.v[static_cast<size_t>(i)] = static_cast<float>(i);
  nf_batches* b = nullptr;
  Err e;
  ASSERT_TRUE(ok(nf_batches_create(rt.get(), Batch(x.view()), options({{"batches.batch", "4"}}).get(), &b, &e), e));
  const Batches owner(b);
  EXPECT_EQ(nf_batches_row(b, 0), -1) << "before the first batch";
  nf_batch batch = NF_BATCH_INIT;
  ASSERT_TRUE(ok(nf_batches_get(b, 1, &batch, &e), e));
  for (int64_t i = 0; i < 4; ++i)
    EXPECT_EQ(static_cast<const float*>(batch.x->data)[i], static_cast<float>(nf_batches_row(b, i)));
  EXPECT_EQ(nf_batches_row(b, 4), -1);
  EXPECT_EQ(nf_batches_row(b, -1), -1);
  EXPECT_EQ(nf_batches_row(nullptr, 0), -1);
}

TEST_F(Tables, ScoresStayWithTheModelUntilItsParametersChange) {
  const Model m = model(rt.get());
  Err e;
  double q = 0;
  EXPECT_TRUE(failed(NF_ERR_STATE, nf_model_score_quantile(m.get(), 0.5, &q, &e), e, "nf_model_set_scores"));
  Tensor scores({101}), asked({3}), rank({3});
  for (int i = 0; i <= 100; ++i) scores.v[static_cast<size_t>(i)] = static_cast<float>(100 - i);
  ASSERT_TRUE(ok(nf_model_set_scores(m.get(), scores.view(), &e), e));
  for (const double bad : {-0.1, 1.1, std::nan("")})
    EXPECT_TRUE(failed(NF_ERR_ARGUMENT, nf_model_score_quantile(m.get(), bad, &q, &e), e, "[0, 1]"));
  const std::vector<unsigned char> file = bytes_of(m.get());
  nf_model* raw = nullptr;
  ASSERT_TRUE(ok(nf_model_load_memory(rt.get(), file.data(), file.size(), nullptr, &raw, &e), e));
  const Model again(raw);
  ASSERT_TRUE(ok(nf_model_score_quantile(again.get(), 0.25, &q, &e), e));
  EXPECT_NEAR(q, 25, 1e-9);
  asked.v = {-3, 50, NAN};
  ASSERT_TRUE(ok(nf_model_score_rank(again.get(), asked.view(), rank.view(), &e), e));
  EXPECT_EQ(rank.v[0], 0);
  EXPECT_NEAR(rank.v[1], 0.5, 1e-6);
  EXPECT_TRUE(std::isnan(rank.v[2]));
  asked.v[1] = NAN;
  EXPECT_TRUE(failed(NF_ERR_NUMERIC, nf_model_set_scores(again.get(), asked.view(), &e), e, "row 1 is NaN"));
  const Trainer t = trainer(again.get());
  ASSERT_TRUE(ok(nf_train_step(t.get(), Batch(banana(64).view()), nullptr, &e), e));
  EXPECT_TRUE(failed(NF_ERR_STATE, nf_model_score_quantile(again.get(), 0.5, &q, &e), e, "other parameters"));
}

}  // namespace
}  // namespace abi_test
