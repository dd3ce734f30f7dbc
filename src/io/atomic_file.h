// Saves a file so that a crash, a full disk or a power failure leaves either the whole old file or the whole new one:
// temporary file in the same directory, write, fsync, rename, fsync of the directory.
//
// A process that is killed leaves its temporary file behind; the next save into the same directory removes it.
//
// On any error up to and including the rename, the old file is untouched and the temporary file is removed. If only the
// fsync of the directory fails, the new file is in place but might not survive a power failure; that is an error too.
// A symbolic link is followed; the mode of an existing file is kept; directories, FIFOs and devices are refused.
#pragma once
#include <memory>
#include <string>

#include "src/io/byte_sink.h"
#include "src/io/posix.h"

namespace libnf {

class AtomicFile final : public ByteSink {
 public:
  explicit AtomicFile(const char* path);  // every member throws Error{io} with the errno
  ~AtomicFile();                          // without commit(), leaves the old file as it was
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(const void* data, size_t bytes) override;  // buffered
  void commit();                                        // call once, last

 private:
  void put(const char* data, size_t bytes);
  void create_temp(mode_t mode);
  void remove_temp() noexcept;
  [[noreturn]] void give_up(const char* doing);

  static constexpr size_t kBufferBytes = size_t{1} << 16;
  std::string shown_;  // the caller's path, quoted for messages
  std::string name_;   // last component of the resolved path, relative to dir_
  std::string temp_;   // name of the temporary file in dir_; empty when there is none
  Fd dir_;
  Fd file_;
  std::unique_ptr<char[]> buffer_;
  size_t buffered_ = 0;
};

}  // namespace libnf
