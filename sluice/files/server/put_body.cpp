// Implements moving the body of an upload into its file: copied, streamed, or out of its chunks.
#include "sluice/files/server/put_body.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "sluice/base/bytes.hpp"
#include "sluice/files/server/pace.hpp"
#include "sluice/io/ops/file.hpp"
#include "sluice/os/kernel.hpp"
#include "sluice/wire/size.hpp"

namespace sluice::files {
namespace {

// Bytes. A rest up to here is copied through a buffer, for a pipe costs more than that.
constexpr std::uint64_t copied_body = std::uint64_t{256} * 1024;
// Bytes. Chunks are joined up to here, for a write each would cost hundreds of times their size.
constexpr std::size_t least_write = std::size_t{4} * 1024;

}  // namespace

put_body::put_body(put_upload& of, pending_file&& into)
    : of_{of},
      file_{std::move(into)},
      reserved_{file_.space_from(of.base(), of.total())},
      going_{
          of.counting().transfers,
          [this] {
              auto& x = of_.exchange();
              x.service().remark(fmt::format("[Client {}] goes on sending {}: {} so far",
                                             x.number(), of_.path(), wire::format_size(bytes())));
          }},
      clock_{going_, of.exchange().engine()},
      pipes_{of.exchange().service().pipes()} {
    if (of.request().chunked) chunks_ = std::make_unique<http::chunk_decoder>();
}

bool put_body::is_complete() const noexcept {
    return chunks_ ? chunks_end_ : bytes() >= *of_.request().length;
}

coro::task<result<bool>> put_body::move_piece() {
    if (chunks_) return move_chunk();
    const auto left = *of_.request().length - bytes();
    const bool is_large = of_.exchange().buffered().empty() && left > copied_body;
    return streams_ || is_large ? stream() : copy_piece();
}

coro::task<result<bool>> put_body::copy_piece() {
    auto& x = of_.exchange();
    const auto left = *of_.request().length - bytes();
    const auto read = x.body().read_piece();
    if (!read) co_return failure(read.error());
    if (read->empty()) co_return false;
    const auto piece =
        read->substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(left, read->size())));
    if (auto made = reserved_.cover(end() + piece.size(), true); !made) {
        co_return failure(made.error());
    }
    auto written = co_await io::write_all_at{x.engine(), file_.fd(), as_bytes(piece), end()};
    if (!written) co_return failure(written.error());
    x.take(piece.size());
    counter_.add(piece.size());
    co_return true;
}

/// Receives a part of the rest by transfer::receive_file(). Sends the buffered output first, and
/// holds no buffers meanwhile.
coro::task<result<bool>> put_body::stream() {
    auto& x = of_.exchange();
    const auto left = *of_.request().length - bytes();
    streams_ = true;
    if (const bool sent = co_await x.flush(); !sent) co_return failure(fault::cancelled);
    x.step_out();
    start_background();
    const bool waits_to_start = !background_ && (follows_digest() || writes_behind());
    const auto most = waits_to_start ? std::min(left, put_upload::small_digest) : left;
    bool dried = false;
    auto got = co_await at_pace<std::uint64_t>(x.engine(), x.body().limits(), counter_, [&] {
        return transfer::receive_file(of_.options().receive, x.client().peer(),
                                      {.file = file_.fd(),
                                       .offset = end(),
                                       .most = most,
                                       .reserved = &reserved_,
                                       .behind = background_ ? &background_->behind : nullptr,
                                       .pipes = &x.service().pipes(),
                                       .dried = &dried},
                                      counter_);
    });
    if (!got) co_return failure(got.error());
    if (*got < most && !dried) co_return failure(fault::ended);
    co_return !dried;
}

/// Decodes one chunk, or several small ones, whose data is in `joined` then.
http::chunk_decoder::step put_body::decode(std::string_view input, std::string& joined) {
    using enum http::chunk_decoder::found;
    auto all = chunks_->next(input);
    while (all.what == data && all.taken < input.size() && all.data.size() < least_write) {
        const auto step = chunks_->next(input.substr(all.taken));
        all.taken += step.taken;
        if (step.what != nothing) all.what = step.what;
        if (step.data.empty()) continue;
        if (joined.empty()) joined = all.data;
        joined += step.data;
        all.data = joined;
    }
    return all;
}

coro::task<result<bool>> put_body::move_chunk() {
    auto& x = of_.exchange();
    const auto read = x.body().read_piece();
    if (!read) co_return failure(read.error());
    if (read->empty()) co_return false;
    std::string joined;
    const auto step = decode(*read, joined);
    const auto given = chunks_->given();
    if (step.what == http::chunk_decoder::found::mistake) {
        of_.mutable_fields().mistake = "the body is not in chunks, or what frames them is too long";
        co_return failure_of(EBADMSG);
    }
    if (given > of_.options().max_size) co_return failure_of(EMSGSIZE);
    if (auto made = reserved_.cover(given, true); !made) co_return failure(made.error());
    auto written = co_await io::write_all_at{x.engine(), file_.fd(), as_bytes(step.data),
                                             given - step.data.size()};
    if (!written) co_return failure(written.error());
    counter_.add(step.data.size());
    start_background();
    x.take(step.taken);
    if (step.what != http::chunk_decoder::found::end) co_return true;
    if (auto ended = end_chunks(); !ended) co_return failure(ended.error());
    chunks_end_ = true;
    co_return true;
}

result<void> put_body::end_chunks() {
    // Gives back the space that was reserved beyond the end.
    const int failed = os::sys().ftruncate(file_.fd(), chunks_->given());
    if (failed < 0) return failure_of(-failed);
    auto& fields = of_.mutable_fields();
    for (const auto& [value, into] : {std::pair{&chunks_->repr_digest(), &fields.promised},
                                      std::pair{&chunks_->content_digest(), &fields.content}}) {
        const auto digest = http::parse_repr_digest(*value);
        if (!digest) {
            fields.mistake = digest.error();
            return failure_of(EBADMSG);
        }
        if (*digest) *into = *digest;
    }
    return {};
}

bool put_body::writes_behind() noexcept {
    return of_.exchange().files().syncs() &&
           of_.total().value_or(0) >= transfer::write_behind::piece;
}

/// Whether a thread computes the digest meanwhile, with a descriptor of its own.
bool put_body::follows_digest() noexcept {
    const auto size = of_.total().value_or(0);
    const bool worth_it = size > put_upload::small_digest || chunks_ != nullptr;
    return of_.ends_here() && worth_it && of_.waits_for_digest(size);
}

put_body::background_work& put_body::background() {
    if (background_) return *background_;
    auto& x = of_.exchange();
    auto* const writers =
        writes_behind() && !x.engine().works_in_place() ? &x.service().writers() : nullptr;
    background_ = std::make_unique<background_work>(x.service().crew(), file_.fd(), of_.base(),
                                                    counter_, writes_behind(), writers);
    return *background_;
}

/// Does nothing until enough bytes have arrived to be worth it.
void put_body::start_background() {
    if (background_ || bytes() < put_upload::small_digest) return;
    if (follows_digest()) background().digest.start();
    if (writes_behind()) background();
}

}  // namespace sluice::files
