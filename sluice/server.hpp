// Everything that a program is meant to include to serve connections under a model
// (docs/library.md), with the runtime below it.
#pragma once

#include "sluice/compute/server/compute.hpp"  // IWYU pragma: export
#include "sluice/io.hpp"                      // IWYU pragma: export
#include "sluice/model/make.hpp"              // IWYU pragma: export
#include "sluice/model/model.hpp"             // IWYU pragma: export
#include "sluice/model/serve.hpp"             // IWYU pragma: export
#include "sluice/model/session.hpp"           // IWYU pragma: export
#include "sluice/term/console.hpp"            // IWYU pragma: export
