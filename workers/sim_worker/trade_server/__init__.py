"""A simulated trade server for terminals: accounts, personalities of brokers, and faults."""

from sim_worker.trade_server.clocks import ManualClock as ManualClock
from sim_worker.trade_server.controls import Controls as Controls
from sim_worker.trade_server.local import installed as installed
from sim_worker.trade_server.personality import Personality as Personality
from sim_worker.trade_server.remote import RemoteServer as RemoteServer
from sim_worker.trade_server.script import Fault as Fault
from sim_worker.trade_server.server import TradeServer as TradeServer
from sim_worker.trade_server.sockets import serve as serve
