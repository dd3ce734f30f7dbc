// nf::Samples: samples of a model, row by row. Include <nf/nf.hpp>.
#ifndef NF_HPP_SAMPLES_HPP_
#define NF_HPP_SAMPLES_HPP_
#include <nf/hpp/session.hpp>

#include <algorithm>
#include <cstddef>

NF_HPP_BEGIN

// One row of contiguous numbers that it does not own.
template <class T>
class Row {
 public:
  Row() = default;
  Row(const T *data, size_t size) noexcept : data_(data), size_(size) {}
  const T *data() const noexcept { return data_; }
  size_t size() const noexcept { return size_; }
  const T *begin() const noexcept { return data_; }
  const T *end() const noexcept { return data_ + size_; }
  const T &operator[](size_t i) const noexcept { return data_[i]; }

 private:
  const T *data_ = nullptr;
  size_t size_ = 0;
};
template <class T>
struct is_borrowed<Row<T>> : std::true_type {};

// A single-pass range of n samples: see Session::samples. Row k is sample how.first + k of the stream, and is valid until
// the iterator moves on. Samples are drawn in blocks, without allocations once a block has its full size. In C++20 it is an
// input range, for views such as std::views::filter. The session must outlive it.
//
// Where a call fails, the range throws, or without exceptions ends: error() says why.
template <class T = float>
class Samples {
 public:
  struct Sentinel {};
  class Iterator {
   public:
    using iterator_category = std::input_iterator_tag;
    using value_type = Row<T>;
    using difference_type = std::ptrdiff_t;
    using pointer = void;
    using reference = Row<T>;

    Iterator() = default;
    Row<T> operator*() const noexcept { return from_->row(); }
    Iterator &operator++() {
      from_->advance();
      return *this;
    }
    void operator++(int) { from_->advance(); }
    friend bool operator==(const Iterator &i, Sentinel) noexcept { return i.done(); }
    friend bool operator!=(const Iterator &i, Sentinel) noexcept { return !i.done(); }
    friend bool operator==(Sentinel, const Iterator &i) noexcept { return i.done(); }
    friend bool operator!=(Sentinel, const Iterator &i) noexcept { return !i.done(); }

   private:
    friend class Samples;
    explicit Iterator(Samples *from) noexcept : from_(from) {}
    bool done() const noexcept { return from_->left_ == 0; }
    Samples *from_ = nullptr;
  };

  Samples(Session &session, int64_t n, const Sampling &how, const View &ctx)
      : session_(&session), how_(how), ctx_(ctx), left_(n > 0 ? n : 0) {}

  // Draws the first block; call it once.
  Iterator begin() {
    if (left_ > 0) draw();
    return Iterator(this);
  }
  Sentinel end() const noexcept { return {}; }
  const Error &error() const noexcept { return error_; }

 private:
  Row<T> row() const noexcept {
    const auto columns = static_cast<size_t>(session_->event_size());
    return Row<T>(block_.data() + at_ * columns, columns);
  }
  void advance() {
    --left_;
    if (++at_ == rows_ && left_ > 0) draw();
  }
  void draw() {
    constexpr int64_t kBlock = 256;
    // The first block is small, for those who take a few.
    const int64_t n = std::min({left_, kBlock, rows_ == 0 ? 8 : 2 * static_cast<int64_t>(rows_)});
    block_.resize(detail::elements(n, session_->event_size()));
    how_.first += rows_;
    rows_ = static_cast<size_t>(n), at_ = 0;
    if (ctx_.rows() > 1 || how_.repeat > 1) {
      error_ = detail::error(NF_ERR_ARGUMENT, "samples: expected one row of context for all, and a repeat of 1");
    } else {
      const nf_sampling s = how_.raw();
      error_ =
          detail::invoke(nf_sample, session_->get(), &s, ctx_.raw(),
                         Out(block_.data(), n, session_->event_size()).raw(), static_cast<const nf_out *>(nullptr));
    }
    if (!error_) return;
    left_ = 0;
#ifndef NF_NO_EXCEPTIONS
    throw Exception(error_);
#endif
  }

  Session *session_;
  Sampling how_;
  View ctx_;
  int64_t left_;  // rows to come, the current one included
  std::vector<T> block_;
  size_t rows_ = 0, at_ = 0;  // of the block
  Error error_;
};

template <class T>
Samples<T> Session::samples(int64_t n, const Sampling &how, const View &ctx) {
  return Samples<T>(*this, n, how, ctx);
}

NF_HPP_END
#endif  // NF_HPP_SAMPLES_HPP_
