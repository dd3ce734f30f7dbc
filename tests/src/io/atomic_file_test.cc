// Saves are all or nothing: every system call is made to fail in turn, once and permanently, as SQLite's tests do.
#include "src/io/atomic_file.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <cerrno>
#include <csignal>
#include <thread>

#include "runtime/core/fault.h"
#include "tests/src/io/io_test_util.h"

namespace libnf {
namespace {

using namespace io_test;

std::string new_content() {
  std::string s(200000, 'n');  // several buffers
  for (size_t i = 0; i < s.size(); i += 7) s[i] = static_cast<char>(i);
  return s;
}

void save(const std::string& path, const std::string& content) {
  AtomicFile f(path.c_str());
  // Writes pieces that are smaller and larger than the buffer.
  size_t at = 0;
  for (size_t n : {size_t{0}, size_t{1}, size_t{1000}, size_t{70000}, size_t{65535}, size_t{2}, content.size()}) {
    n = std::min(n, content.size() - at);
    f.write(content.data() + at, n);
    at += n;
  }
  f.commit();
}

TEST(AtomicFile, CreatesAndReplaces) {
  const TempDir dir;
  const std::string path = dir / "m.bin";
  save(path, "old");
  EXPECT_EQ(get(path), "old");
  save(path, new_content());
  EXPECT_EQ(get(path), new_content());
  save(path, "");
  EXPECT_EQ(get(path), "");
  EXPECT_EQ(dir.files(), std::vector<std::string>{"m.bin"});
}

TEST(AtomicFile, WithoutCommitNothingHappens) {
  const TempDir dir;
  put(dir / "m", "old");
  {
    AtomicFile f((dir / "m").c_str());
    f.write("new", 3);
    EXPECT_EQ(dir.files().size(), 2u);
  }
  EXPECT_EQ(get(dir / "m"), "old");
  EXPECT_EQ(dir.files().size(), 1u);
}

// Each save removes what killed ones left behind, and nothing that is in use.
TEST(AtomicFile, ManySaversAtOnceAndAbandonedFiles) {
  const TempDir dir;
  put(dir / ".nf-1-2-0.part", "of a process that was killed");
  put(dir / ".nf-1-2-0.tmp", "of an earlier version");
  put(dir / "other.part", "of another program");
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i)
    threads.emplace_back([&, i] {
      for (int round = 0; round < 30; ++round) {
        const std::string content(static_cast<size_t>(1000 * i + round), static_cast<char>('a' + i));
        try {
          save(dir / ("m" + std::to_string(i % 3)), content);
        } catch (const Error& e) {
          ADD_FAILURE() << e.what();
        }
      }
    });
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(dir.files(), (std::vector<std::string>{".nf-1-2-0.tmp", "m0", "m1", "m2", "other.part"}));
}

TEST(AtomicFile, IsFinishedAfterCommit) {
  const TempDir dir;
  AtomicFile f((dir / "m").c_str());
  f.commit();
  expect_error(Code::state, "already committed", [&] { f.commit(); });
  expect_error(Code::state, "already committed", [&] { f.write("x", 1); });
}

TEST(AtomicFile, KeepsTheModeOfTheOldFileAndUmaskOfANewOne) {
  const TempDir dir;
  const auto mode = [](const std::string& p) {
    struct stat st;
    return ::stat(p.c_str(), &st) == 0 ? st.st_mode & 0777u : 0u;
  };
  put(dir / "old", "x");
  ::chmod((dir / "old").c_str(), 0640);
  save(dir / "old", "y");
  EXPECT_EQ(mode(dir / "old"), 0640u);
  const mode_t before = ::umask(027);
  save(dir / "new", "y");
  ::umask(before);
  EXPECT_EQ(mode(dir / "new"), 0640u);
}

TEST(AtomicFile, FollowsSymbolicLinks) {
  const TempDir dir;
  std::filesystem::create_directory(dir / "sub");
  put(dir / "sub/real", "old");
  std::filesystem::create_symlink("sub/real", dir / "link");
  save(dir / "link", "new");
  EXPECT_TRUE(std::filesystem::is_symlink(dir / "link"));
  EXPECT_EQ(get(dir / "sub/real"), "new");
}

TEST(AtomicFile, RefusesWhatIsNotAFile) {
  const TempDir dir;
  std::filesystem::create_directory(dir / "d");
  ::mkfifo((dir / "fifo").c_str(), 0600);
  put(dir / "file", "x");
  EXPECT_EQ(expect_error(Code::io, "/d'", [&] { AtomicFile f((dir / "d").c_str()); }), EISDIR);
  EXPECT_EQ(expect_error(Code::io, "file name", [&] { AtomicFile f((dir / "d/").c_str()); }), EISDIR);
  EXPECT_EQ(expect_error(Code::io, "file name", [&] { AtomicFile f(""); }), EISDIR);
  EXPECT_EQ(expect_error(Code::io, "regular", [&] { AtomicFile f((dir / "fifo").c_str()); }), EINVAL);
  EXPECT_EQ(expect_error(Code::io, "regular", [&] { AtomicFile f("/dev/null"); }), EINVAL);
  EXPECT_EQ(expect_error(Code::io, "none/x'", [&] { AtomicFile f((dir / "none/x").c_str()); }), ENOENT);
  EXPECT_EQ(expect_error(Code::io, "file/x'", [&] { AtomicFile f((dir / "file/x").c_str()); }), ENOTDIR);
  const std::string long_name(300, 'a');
  EXPECT_EQ(expect_error(Code::io, "File name too long", [&] { AtomicFile f((dir / long_name).c_str()); }),
            ENAMETOOLONG);
  EXPECT_EQ(dir.files(), (std::vector<std::string>{"d", "fifo", "file"}));
}

TEST(AtomicFile, ReadOnlyDirectoryAndFile) {
  if (::geteuid() == 0) GTEST_SKIP() << "root may write anywhere";
  const TempDir dir;
  put(dir / "m", "old");
  ::chmod((dir / "m").c_str(), 0444);
  EXPECT_EQ(expect_error(Code::io, "cannot replace", [&] { save(dir / "m", "new"); }), EACCES);
  ::chmod((dir / "m").c_str(), 0644);
  ::chmod(dir.path().c_str(), 0555);
  EXPECT_EQ(expect_error(Code::io, "create a file in its directory", [&] { save(dir / "m", "new"); }), EACCES);
  ::chmod(dir.path().c_str(), 0755);
  EXPECT_EQ(get(dir / "m"), "old");
}

// A real failing write: the process's file size limit stands in for a full disk.
TEST(AtomicFile, FileSizeLimit) {
  const TempDir dir;
  put(dir / "m", "old");
  struct rlimit before;
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto handler = ::signal(SIGXFSZ, SIG_IGN);
  struct rlimit small = before;
  small.rlim_cur = 100000;
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const int why = expect_error(Code::io, "write failed", [&] { save(dir / "m", new_content()); });
  ::setrlimit(RLIMIT_FSIZE, &before);
  ::signal(SIGXFSZ, handler);
  EXPECT_EQ(why, EFBIG);
  EXPECT_EQ(get(dir / "m"), "old");
  EXPECT_EQ(dir.files().size(), 1u);
}

#ifdef NF_FAULTS
// Makes the 1st, 2nd, ... call fail until the save succeeds. Returns true if it ever failed.
bool fail_every_call(int effect, bool persistent, bool expect_success) {
  const TempDir dir;
  const std::string path = dir / "m.bin";
  const size_t descriptors = open_descriptors();
  bool failed = false;
  for (int64_t nth = 1;; ++nth) {
    put(path, "old");
    int64_t hits = 0;
    bool ok = true;
    std::string message;
    {
      const FaultScope plan("io.", nth, effect, persistent);
      try {
        save(path, new_content());
      } catch (const Error& e) {
        ok = false;
        message = e.what();
        EXPECT_EQ(static_cast<int>(e.code()), static_cast<int>(Code::io)) << message;
        EXPECT_EQ(e.os_errno(), effect) << message;
        EXPECT_NE(message.find("m.bin"), std::string::npos) << message;
      }
      hits = plan.hits();
    }
    failed |= !ok;
    // After the point of no return, an error message says that the file was saved.
    const bool saved = ok || message.starts_with("saved ");
    EXPECT_EQ(get(path), saved ? new_content() : "old") << "call " << nth << ": " << message;
    EXPECT_EQ(dir.files().size(), 1u) << "call " << nth << " left a temporary file";
    EXPECT_EQ(open_descriptors(), descriptors) << "call " << nth << " leaked a descriptor";
    EXPECT_TRUE(ok || !expect_success) << "call " << nth << ": " << message;
    if (hits < nth) {
      EXPECT_TRUE(ok);
      EXPECT_GE(nth, 8) << "the loop should have met open, several writes, fsync, close, rename, fsync";
      return failed;
    }
  }
}

TEST(AtomicFile, FailsOnceAtEveryCall) {
  for (const int e : {ENOSPC, EIO, EDQUOT, EROFS}) EXPECT_TRUE(fail_every_call(e, false, false));
}

TEST(AtomicFile, FailsForGoodFromEveryCall) {
  for (const int e : {ENOSPC, EIO}) EXPECT_TRUE(fail_every_call(e, true, false));
}

TEST(AtomicFile, ShortWritesAndInterruptsDoNotMatter) {
  EXPECT_FALSE(fail_every_call(kFaultShort, false, true));
  EXPECT_FALSE(fail_every_call(kFaultShort, true, true));
  EXPECT_FALSE(fail_every_call(EINTR, false, true));
}

TEST(AtomicFile, TemporaryNameTakenIsRetried) {
  const TempDir dir;
  const FaultScope plan("io.open", 2, EEXIST);  // 1 is the directory
  save(dir / "m", "new");
  EXPECT_EQ(get(dir / "m"), "new");
  EXPECT_EQ(plan.hits(), 3);
}

TEST(AtomicFile, IsUnusableAfterAFailedWrite) {
  const TempDir dir;
  AtomicFile f((dir / "m").c_str());
  {
    const FaultScope plan("io.write", 1, ENOSPC);
    const std::string content = new_content();
    EXPECT_EQ(expect_error(Code::io, "write failed", [&] { f.write(content.data(), content.size()); }), ENOSPC);
  }
  expect_error(Code::state, "already committed", [&] { f.commit(); });
  EXPECT_TRUE(dir.files().empty());
}
#endif

}  // namespace
}  // namespace libnf
