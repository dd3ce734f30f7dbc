// Wraps the few system calls that file code makes: retries EINTR and makes every call a fault point (io.open, io.stat,
// io.read, io.write, io.fsync, io.close, io.rename, io.link, io.lock, io.map). As in POSIX, they return -1 and set errno; callers turn
// that into libnf::Error with the path.
#pragma once
#include <sys/stat.h>
#include <sys/types.h>

#include <cstddef>
#include <utility>

namespace libnf {

class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& o) noexcept : fd_(std::exchange(o.fd_, -1)) {}
  Fd& operator=(Fd&& o) noexcept {
    std::swap(fd_, o.fd_);
    return *this;
  }
  ~Fd();
  explicit operator bool() const { return fd_ >= 0; }
  int get() const { return fd_; }
  int close();  // reports an error, which the destructor cannot; always closes

 private:
  int fd_ = -1;
};

Fd sys_open_at(int dir, const char* name, int flags, mode_t mode = 0);  // O_CLOEXEC is added
int sys_stat(int fd, struct stat* st);
ssize_t sys_read(int fd, void* data, size_t bytes);         // may be short
ssize_t sys_write(int fd, const void* data, size_t bytes);  // may be short
int sys_fsync(int fd);
int sys_rename_at(int dir, const char* from, const char* to);  // both in `dir`
// Takes the lock of an open file, which ends with the process at the latest; false if another process has it, or if the
// file system has no locks.
bool sys_lock(int fd);
// Names of temporary files. Not ".tmp", as in versions that took no lock: their files may be in use.
inline constexpr char kTempPrefix[] = ".nf-", kTempSuffix[] = ".part";
// Removes the temporary files of a directory whose lock nobody holds: killed processes left them behind.
void remove_abandoned(int dir);
// Makes `to` a second name of the file `from`, in place of what it named; false if the file system has no links.
bool replace_by_link(const char* from, const char* to);
void* sys_map(int fd, size_t bytes);  // read-only and private; nullptr on failure

}  // namespace libnf
