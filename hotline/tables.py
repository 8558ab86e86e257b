"""Every table of every room, in one place for the migrations."""

from sqlmodel import SQLModel

import channels.models
import followup.models
import foundation.models
import identity.models
import routing.models
import tickets.models

ROOMS = (foundation.models, channels.models, identity.models, tickets.models, routing.models, followup.models)
METADATA = SQLModel.metadata
