// nf.hpp without exceptions: members return nf::Result. Linked into one program with the files that use exceptions.
#define NF_NO_EXCEPTIONS
#include <nf/nf.hpp>

#include "tests/abi/abi_support.h"

namespace abi_test {
namespace {

static_assert(std::is_same_v<decltype(nf::Model::load("")), nf::Result<nf::Model>>);

TEST(HppResults, ValuesAndErrors) {
  nf::Result<nf::Model> m = nf::Model::create(kSpec, 1);
  ASSERT_TRUE(m) << m.error().message();
  nf::Result<nf::Session> s = nf::Session::create(*m, {{"session.threads", 1}});
  ASSERT_TRUE(s) << s.error().message();
  const std::vector<float> rows = {0, 1, 2, 3};
  const nf::Result<std::vector<float>> ll = s->log_prob(nf::View(rows, 2));
  ASSERT_TRUE(ll) << ll.error().message();
  EXPECT_EQ(ll->size(), 2u);

  const nf::Result<nf::Model> wrong = nf::Model::create("{", 1);
  EXPECT_FALSE(wrong);
  EXPECT_EQ(wrong.error().status(), NF_ERR_SPEC);
  EXPECT_NE(wrong.error().message()[0], 0);
  EXPECT_EQ(nf::Model::load("no/such/file").error().os_errno(), ENOENT);
  EXPECT_EQ(m->save("no/such/folder/m.safetensors").error().status(), NF_ERR_IO);
}

TEST(HppResults, ArgumentsThatAreWrongFailTheCall) {
  nf::Result<nf::Model> m = nf::Model::create(kSpec, 1);
  ASSERT_TRUE(m);
  nf::Options options{{"session.thread", 1}, {"session.threads", "many"}};
  EXPECT_EQ(options.error().status(), NF_ERR_SPEC);
  const nf::Result<nf::Session> refused = nf::Session::create(*m, options);
  ASSERT_FALSE(refused);
  EXPECT_NE(std::string(refused.error().message()).find("session.threads"), std::string::npos) << "the first error";
  EXPECT_FALSE(options.json());

  nf::Result<nf::Session> s = nf::Session::create(*m);
  ASSERT_TRUE(s);
  const std::vector<float> rows = {0, 1, 2, 3};
  EXPECT_EQ(s->log_prob(nf::View(rows, 3)).error().status(), NF_ERR_SHAPE);
  EXPECT_EQ(nf::View(rows, 2).data<double>(), nullptr);
}

TEST(HppResults, SamplesEndAtAnError) {
  nf::Result<nf::Model> m = nf::Model::create(kSpec, 1);
  ASSERT_TRUE(m);
  nf::Result<nf::Session> s = nf::Session::create(*m);
  ASSERT_TRUE(s);
  size_t n = 0;
  nf::Samples<float> fine = s->samples(20, 7);
  for (const nf::Row<float> row : fine) n += row.size();
  EXPECT_EQ(n, 40u);
  EXPECT_FALSE(fine.error());
  const std::vector<float> context = {1};
  nf::Samples<float> wrong = s->samples(20, 7, nf::View(context, 1));
  for (const nf::Row<float> row : wrong) ADD_FAILURE() << "a row of " << row.size();
  EXPECT_EQ(wrong.error().status(), NF_ERR_SHAPE);
}

TEST(HppResults, Callbacks) {
  nf::Result<nf::Flow> flow = nf::Flow::create(kSpec);
  ASSERT_TRUE(flow);
  const std::vector<float> rows = banana(300).v;
  int calls = 0;
  const nf::Result<nf::FitInfo> info = flow->fit(rows, {}, [&](const nf::FitInfo&) { return ++calls < 3; });
  ASSERT_TRUE(info) << info.error().message();
  EXPECT_EQ(info->stop, NF_STOP_REQUESTED);
  nf::Result<nf::Trainer> t = nf::Trainer::create(flow->model());
  ASSERT_TRUE(t);
  const auto source = [&](uint64_t step, nf::Batch& b) { return b.x = nf::View(rows, 2), step < 4; };
  EXPECT_EQ(*t->run(source, 0), nf::RunEnd::finished);
  EXPECT_EQ(*t->run([&](uint64_t, nf::Batch& b) { return b.x = nf::View(rows, 2), true; }, 0,
                    [](const nf::StepInfo&) { return false; }),
            nf::RunEnd::stopped);
}

}  // namespace
}  // namespace abi_test
