// Implements the io_uring request-reply load: multishot recv, buffer ring, fixed files.
#include "sluice/lab/load/uring_exchange.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace sluice::lab {
namespace {

constexpr std::size_t max_send_size = std::size_t{1} << 20;
constexpr std::uint64_t of_send = ~std::uint64_t{0};
constexpr unsigned buffer_count = 1024;

}  // namespace

std::unique_ptr<uring_exchanger> uring_exchanger::make(const exchange_options& o) {
    std::unique_ptr<uring_exchanger> made{new uring_exchanger{o}};
    if (!made->open_ring() || !made->open_buffers()) return nullptr;
    return made;
}

uring_exchanger::uring_exchanger(const exchange_options& o) : options_{o}, clients_{o.connections} {
    const std::size_t whole = std::max<std::size_t>(
        1, std::min(o.request.size() * o.depth, max_send_size) / o.request.size());
    for (std::size_t i = 0; i < whole; ++i) payload_ += o.request;
    dialer dial{o.where};
    for (client& c : clients_) c.fd = dial.dial_and_wait();
}

uring_exchanger::~uring_exchanger() {
    if (open_) io_uring_queue_exit(&ring_);
}

bool uring_exchanger::open_ring() {
    io_uring_params params{};
    params.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQSIZE;
    params.cq_entries = 32 * 1024;
    if (io_uring_queue_init_params(4096, &ring_, &params) < 0) return false;
    open_ = true;
    std::vector<int> numbers;
    numbers.reserve(clients_.size());
    for (const client& c : clients_) numbers.push_back(c.fd.get());
    return io_uring_register_files(&ring_, numbers.data(), static_cast<unsigned>(numbers.size())) >=
               0 &&
           io_uring_register_ring_fd(&ring_) >= 0;
}

bool uring_exchanger::open_buffers() {
    auto entries = mapping::create(buffer_count * sizeof(io_uring_buf));
    auto discarded = mapping::create(max_send_size);
    if (!entries || !discarded) return false;
    entries_ = std::move(*entries);
    discarded_ = std::move(*discarded);
    io_uring_buf_reg registration{};
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): how the kernel takes it
    registration.ring_addr = reinterpret_cast<std::uint64_t>(entries_.data());
    registration.ring_entries = buffer_count;
    if (io_uring_register_buf_ring(&ring_, &registration, 0) < 0) return false;
    io_uring_buf_ring_init(buffers());
    for (unsigned i = 0; i < buffer_count; ++i) {
        io_uring_buf_ring_add(buffers(), discarded_.data(), max_send_size,
                              static_cast<unsigned short>(i), io_uring_buf_ring_mask(buffer_count),
                              static_cast<int>(i));
    }
    io_uring_buf_ring_advance(buffers(), static_cast<int>(buffer_count));
    return true;
}

io_uring_buf_ring* uring_exchanger::buffers() const {
    return static_cast<io_uring_buf_ring*>(entries_.data());
}

void uring_exchanger::start() {
    for (std::size_t i = 0; i < clients_.size(); ++i) {
        arm(i);
        send_requests(i, options_.depth);
    }
}

bool uring_exchanger::turn(load_clock::duration /*timeout*/) {
    const int status = io_uring_submit_and_get_events(&ring_);
    if (status < 0 && status != -EINTR && status != -EAGAIN && status != -EBUSY) {
        give_up("io_uring_enter failed", -status);
    }
    unsigned seen = 0;
    unsigned head = 0;
    io_uring_cqe* cqe = nullptr;
    used_ = 0;
    io_uring_for_each_cqe(&ring_, head, cqe) {
        ++seen;
        complete(*cqe);
    }
    io_uring_cq_advance(&ring_, seen);
    // All buffers are one area that the load never reads: advancing the ring returns them.
    io_uring_buf_ring_advance(buffers(), used_);
    return seen > 0;
}

void uring_exchanger::complete(const io_uring_cqe& cqe) {
    if (cqe.user_data == of_send) lose_server("cannot send to the server", -cqe.res);
    const auto index = static_cast<std::size_t>(cqe.user_data);
    if (cqe.res > 0) {
        ++used_;
        client& c = clients_[index];
        c.part += static_cast<std::size_t>(cqe.res);
        const std::size_t whole = c.part / options_.answer_size;
        c.part -= whole * options_.answer_size;
        answered_ += whole;
        if (whole > 0) send_requests(index, whole);
    } else if (cqe.res == 0) {
        lose_server("the server closed a connection that was in use");
    } else if (cqe.res != -ENOBUFS && cqe.res != -EINTR) {
        lose_server("a connection to the server was lost", -cqe.res);
    }
    if ((cqe.flags & IORING_CQE_F_MORE) == 0) arm(index);
}

io_uring_sqe& uring_exchanger::next() {
    io_uring_sqe* sqe = io_uring_get_sqe(&ring_);
    while (sqe == nullptr) {
        io_uring_submit(&ring_);
        sqe = io_uring_get_sqe(&ring_);
    }
    return *sqe;
}

void uring_exchanger::arm(std::size_t index) {
    io_uring_sqe& sqe = next();
    io_uring_prep_recv_multishot(&sqe, static_cast<int>(index), nullptr, 0, MSG_TRUNC);
    sqe.flags |= IOSQE_BUFFER_SELECT | IOSQE_FIXED_FILE;
    sqe.ioprio |= IORING_RECVSEND_POLL_FIRST;
    io_uring_sqe_set_data64(&sqe, index);
}

void uring_exchanger::send_requests(std::size_t index, std::size_t messages) {
    client& c = clients_[index];
    std::size_t bytes = messages * options_.request.size();
    while (bytes > 0) {
        const auto n = std::min(bytes, payload_.size() - c.sent_of);
        io_uring_sqe& sqe = next();
        io_uring_prep_send(&sqe, static_cast<int>(index), payload_.data() + c.sent_of, n,
                           MSG_NOSIGNAL | MSG_WAITALL);
        sqe.flags |= IOSQE_FIXED_FILE | IOSQE_CQE_SKIP_SUCCESS;
        io_uring_sqe_set_data64(&sqe, of_send);
        c.sent_of = (c.sent_of + n) % options_.request.size();
        bytes -= n;
    }
}

}  // namespace sluice::lab
