// TLS in a world: all its doors and clients speak it, or none does.
#pragma once

#include "sluice/tls/client_context.hpp"
#include "sluice/tls/server_context.hpp"
#include "tests/worlds/setting.hpp"

namespace sluice::worlds {

/// Reads the certificate of all worlds: once, before any of them is made.
void load_certificate();

/// Sets up TLS for the world of this process, if the setting says so or its seed draws it.
void draw_tls(const setting& how);

/// For the doors of this process's world; null: they speak in the clear.
[[nodiscard]] tls::server_context* server_tls() noexcept;
/// For its clients; as above.
[[nodiscard]] tls::client_context* client_tls() noexcept;

}  // namespace sluice::worlds
