"""The messages of the SDK and of the simulated trade server: English, Traditional Chinese, Simplified Chinese.

Pure data; see `mas._lang`. `{}` stands for what varies; where the order of words differs, a translation numbers it.
A test compares the English texts with those that the code makes.
"""

from __future__ import annotations

from typing import Final

TEXTS: Final[dict[str, tuple[str, str]]] = {
    # ---- return codes ------------------------------------------------------------------------------------------------
    "Done": ("完成", "完成"),
    "Requote": ("重新報價", "重新报价"),
    "Request rejected": ("請求被拒絕", "请求被拒绝"),
    "Request canceled by trader": ("交易者已取消請求", "交易者已取消请求"),
    "Order placed": ("訂單已送出", "订单已提交"),
    "Request executed": ("請求已執行", "请求已执行"),
    "Request executed partially": ("請求已部分執行", "请求已部分执行"),
    "Common error": ("一般錯誤", "一般错误"),
    "Request timed out": ("請求逾時", "请求超时"),
    "Invalid request": ("無效的請求", "无效的请求"),
    "Invalid volume": ("無效的交易量", "无效的交易量"),
    "Invalid price": ("無效的價格", "无效的价格"),
    "Invalid stops": ("無效的停損或停利", "无效的止损或止盈"),
    "Trade disabled": ("交易已停用", "交易被禁止"),
    "Market closed": ("市場休市", "市场已关闭"),
    "No money": ("資金不足", "资金不足"),
    "Price changed": ("價格已變動", "价格已变动"),
    "No prices": ("沒有報價", "没有报价"),
    "Invalid expiration": ("無效的到期時間", "无效的到期时间"),
    "Order changed": ("訂單狀態已變更", "订单状态已变更"),
    "Too many requests": ("請求過於頻繁", "请求过于频繁"),
    "No changes": ("沒有任何變更", "没有任何变更"),
    "AutoTrading disabled by server": ("伺服器已停用自動交易", "服务器已禁用自动交易"),
    "AutoTrading disabled by client": ("用戶端已停用自動交易", "客户端已禁用自动交易"),
    "Request locked": ("請求已鎖定", "请求已锁定"),
    "Order or position frozen": ("訂單或部位已凍結", "订单或持仓已冻结"),
    "Unsupported filling mode": ("不支援的成交方式", "不支持的成交方式"),
    "No connection": ("沒有連線", "没有连接"),
    "Only real accounts allowed": ("僅限真實帳戶", "仅限真实账户"),
    "Orders limit reached": ("已達掛單數量上限", "已达挂单数量上限"),
    "Volume limit reached": ("已達交易量上限", "已达交易量上限"),
    "Invalid order": ("無效的訂單類型", "无效的订单类型"),
    "Position closed": ("部位已平倉", "持仓已平仓"),
    "Invalid close volume": ("無效的平倉交易量", "无效的平仓交易量"),
    "Close order already exists": ("已有平倉訂單", "已有平仓订单"),
    "Positions limit reached": ("已達部位數量上限", "已达持仓数量上限"),
    "Order activation rejected, order canceled": ("掛單觸發被拒絕，訂單已取消", "挂单触发被拒绝，订单已取消"),
    "Only long positions allowed": ("僅允許多頭部位", "仅允许多头持仓"),
    "Only short positions allowed": ("僅允許空頭部位", "仅允许空头持仓"),
    "Only position closing allowed": ("僅允許平倉", "仅允许平仓"),
    "Position closing only by FIFO rule": ("僅允許依先進先出規則平倉", "仅允许按先进先出规则平仓"),
    "Hedging prohibited": ("禁止對沖", "禁止对冲"),
    "Return code {}": ("回傳碼 {}", "返回码 {}"),
    # ---- what becomes of an order ------------------------------------------------------------------------------------
    "modified": ("已修改", "已修改"),
    "expired": ("已到期", "已到期"),
    "book or cancel": ("只掛單否則取消", "只挂单否则取消"),
    "the stop price was reached, a limit order rests now": ("已觸及停止價，現為限價掛單", "已触及停止价，现为限价挂单"),
    "order {} is in doubt: {}": ("訂單 {} 的結果不明：{}", "订单 {} 的结果不明：{}"),
    "not sent: {}": ("未送出：{}", "未发送：{}"),
    "it came back from the queue ({})": ("它從佇列退回（{}）", "它从队列退回（{}）"),
    "not sent: there was no way to {} in time": ("未送出：未能及時連上{}", "未发送：未能及时连上{}"),
    "no answer from {} in time": ("{}未及時回應", "{}未及时响应"),
    "no answer from {} within {} s": ("{0}未在 {1} 秒內回應", "{0}未在 {1} 秒内响应"),
    "not sent: the client was closed before there was a way to {}": (
        "未送出：連上{}之前用戶端已關閉",
        "未发送：连上{}之前客户端已关闭",
    ),
    "the client was closed before the answer came": ("收到回應之前用戶端已關閉", "收到响应之前客户端已关闭"),
    "nobody took the command in time ({})": ("無人及時處理此指令（{}）", "无人及时处理此指令（{}）"),
    "not executed: its deadline had passed {} ms before the simulator saw it": (
        "未執行：模擬器收到時已超過期限 {} 毫秒",
        "未执行：模拟器收到时已超过期限 {} 毫秒",
    ),
    "it never reached the simulator, and from now on it cannot": (
        "它從未到達模擬器，之後也不會到達",
        "它从未到达模拟器，之后也不会到达",
    ),
    "client_order_id={} was used before, for another order; it was not sent": (
        "client_order_id={} 已用於另一筆訂單；此訂單未送出",
        "client_order_id={} 已用于另一笔订单；此订单未发送",
    ),
    # ---- parameters --------------------------------------------------------------------------------------------------
    "{}={} is not allowed: {}": ("{}={} 不允許；允許的是：{}", "{}={} 不允许；允许的是：{}"),
    "params must be a dict, not {}": ("params 必須是 dict，而不是 {}", "params 必须是 dict，而不是 {}"),
    "missing {} {}": ("缺少{} {}", "缺少{} {}"),
    "field": ("欄位", "字段"),
    "fields": ("欄位", "字段"),
    "unknown field {}": ("未知的欄位 {}", "未知的字段 {}"),
    "did you mean '{}'?": ("您是指 '{}' 嗎？", "您是指 '{}' 吗？"),
    "a number from {} to {}": ("{} 到 {} 的數字", "{} 到 {} 的数字"),
    "a whole number from {} to {}": ("{} 到 {} 的整數", "{} 到 {} 的整数"),
    "a price above 0 for a {} order": ("{} 訂單需要大於 0 的價格", "{} 订单需要大于 0 的价格"),
    "a ticket: a whole number above 0, its digits, or the id of an accepted order; else leave the field out": (
        "單號：大於 0 的整數、其數字字串，或已接受訂單的編號；否則請省略此欄位",
        "单号：大于 0 的整数、其数字字符串，或已接受订单的编号；否则请省略此字段",
    ),
    "a text of {} to {} printable characters, without a space at its ends": (
        "{} 到 {} 個可列印字元的文字，前後沒有空格",
        "{} 到 {} 个可打印字符的文本，前后没有空格",
    ),
    "a text of 1 to 256 characters": ("1 到 256 個字元的文字", "1 到 256 个字符的文本"),
    "1 to 64 letters, digits or any of {}": (
        "1 到 64 個字母、數字或以下符號：{}",
        "1 到 64 个字母、数字或以下符号：{}",
    ),
    "an account number, as an int or a str": ("帳號（int 或 str）", "账号（int 或 str）"),
    "a text such as amqp://user:password@host:5672/vhost": (
        "例如 amqp://user:password@host:5672/vhost 的文字",
        "例如 amqp://user:password@host:5672/vhost 的文本",
    ),
    "True or False": ("True 或 False", "True 或 False"),
    "one of {}": ("以下之一：{}", "以下之一：{}"),
    "a datetime (without a zone: UTC), a date, 'YYYY-MM-DD[ HH:MM:SS]' or seconds since 1970, up to 2262": (
        "datetime（未指定時區視為 UTC）、日期、'YYYY-MM-DD[ HH:MM:SS]' 或自 1970 年起的秒數，至 2262 年為止",
        "datetime（未指定时区视为 UTC）、日期、'YYYY-MM-DD[ HH:MM:SS]' 或自 1970 年起的秒数，至 2262 年为止",
    ),
    "a time after {} with ORDER_TIME_{}": ("{0} 之後的時間（ORDER_TIME_{1}）", "{0} 之后的时间（ORDER_TIME_{1}）"),
    "after from={}": ("晚於 from={}", "晚于 from={}"),
    "not before from={}": ("不早於 from={}", "不早于 from={}"),
    "the same as {}, or only one of the two": ("與 {} 相同，或只給其中之一", "与 {} 相同，或只给其中之一"),
    "{} {}={} for a {} order": ("{3} 訂單需{0} {1}={2}", "{3} 订单需{0} {1}={2}"),
    "a price {} price={} for a {} order": ("{2} 訂單需{0} price={1} 的價格", "{2} 订单需{0} price={1} 的价格"),
    "below": ("低於", "低于"),
    "above": ("高於", "高于"),
    "nothing for a {} order, only for stop-limit orders": (
        "{} 訂單不使用此欄位，僅用於停止限價訂單",
        "{} 订单不使用此字段，仅用于止损限价订单",
    ),
    "only together with `position`, the ticket of another position": (
        "僅能與 `position`（另一個部位的單號）一起使用",
        "仅能与 `position`（另一个持仓的单号）一起使用",
    ),
    "buy or sell, because a pending order does not close a position": (
        "buy 或 sell，因為掛單不能用來平倉",
        "buy 或 sell，因为挂单不能用来平仓",
    ),
    "backtest_toggle is missing: pass True for the simulator or False for the live account": (
        "缺少 backtest_toggle：模擬器請給 True，真實帳戶請給 False",
        "缺少 backtest_toggle：模拟器请给 True，真实账户请给 False",
    ),
    "missing 'from' or 'to': a backtest needs both": (
        "缺少 'from' 或 'to'：回測兩者都需要",
        "缺少 'from' 或 'to'：回测两者都需要",
    ),
    "missing 'sl' or 'tp': give at least one of them, 0 to remove it": (
        "缺少 'sl' 或 'tp'：至少給其中之一，0 表示移除",
        "缺少 'sl' 或 'tp'：至少给其中之一，0 表示移除",
    ),
    "send_orders takes a list of dictionaries, not {}": (
        "send_orders 需要 dict 的 list，而不是 {}",
        "send_orders 需要 dict 的 list，而不是 {}",
    ),
    "expiration is not used with a market order": ("市價單不使用 expiration", "市价单不使用 expiration"),
    "expiration is not used with ORDER_TIME_{}: it needs ORDER_TIME_SPECIFIED": (
        "ORDER_TIME_{} 不使用 expiration：它需要 ORDER_TIME_SPECIFIED",
        "ORDER_TIME_{} 不使用 expiration：它需要 ORDER_TIME_SPECIFIED",
    ),
    "sl and tp are not used when a position is closed": ("平倉時不使用 sl 與 tp", "平仓时不使用 sl 与 tp"),
    "get_bars_from_pos gives a pandas DataFrame: pip install 'mas-order-router[pandas]'": (
        "get_bars_from_pos 會傳回 pandas DataFrame，請先安裝：pip install 'mas-order-router[pandas]'",
        "get_bars_from_pos 会返回 pandas DataFrame，请先安装：pip install 'mas-order-router[pandas]'",
    ),
    "symbol {} has no depth of market in {}": ("商品 {} 在{}沒有市場深度", "品种 {} 在{}没有市场深度"),
    "the depth of {} is not followed: call subscribe_market_book first": (
        "尚未訂閱 {} 的市場深度：請先呼叫 subscribe_market_book",
        "尚未订阅 {} 的市场深度：请先调用 subscribe_market_book",
    ),
    # ---- accounts and connections ------------------------------------------------------------------------------------
    "account {} at {}": ("帳戶 {}（{}）", "账户 {}（{}）"),
    "account {} of another client": ("另一個用戶端的帳戶 {}", "另一个客户端的账户 {}"),
    "the simulated account {}": ("模擬帳戶 {}", "模拟账户 {}"),
    "{}. Backtests work; live orders will be refused.": (
        "{}。回測可正常使用；真實訂單將被拒絕。",
        "{}。回测可正常使用；真实订单将被拒绝。",
    ),
    "no MT5 worker serves {} on {}": ("{1} 上沒有 MT5 工作程式服務{0}", "{1} 上没有 MT5 工作进程服务{0}"),
    "{} is not connected, because neither MAS_URL nor MAS_LIVE_URL names a RabbitMQ": (
        "{}未連線，因為 MAS_URL 與 MAS_LIVE_URL 都未指定 RabbitMQ",
        "{}未连接，因为 MAS_URL 与 MAS_LIVE_URL 都未指定 RabbitMQ",
    ),
    "{} cannot be reached on {}: {}": ("無法在 {1} 連上{0}：{2}", "无法在 {1} 连上{0}：{2}"),
    "no live account is selected: call login() first, or give account and server; nothing was sent": (
        "尚未選擇真實帳戶：請先呼叫 login()，或給 account 與 server；未送出任何指令",
        "尚未选择真实账户：请先调用 login()，或给 account 与 server；未发送任何指令",
    ),
    "no account is attached: login() found no worker for it; give backtest_toggle=True for a simulated account": (
        "沒有已連上的帳戶：login() 找不到其工作程式；模擬帳戶請給 backtest_toggle=True",
        "没有已连上的账户：login() 找不到其工作进程；模拟账户请给 backtest_toggle=True",
    ),
    "{} accounts have a ticket {}: pass the order's id, or its account": (
        "有 {} 個帳戶含單號 {}：請給訂單編號或其帳戶",
        "有 {} 个账户含单号 {}：请给订单编号或其账户",
    ),
    "the simulated account of order {} is closed": ("訂單 {} 的模擬帳戶已關閉", "订单 {} 的模拟账户已关闭"),
    "live market data needs an MT5 worker; give backtest_toggle=True for a replay": (
        "即時行情需要 MT5 工作程式；重播請給 backtest_toggle=True",
        "实时行情需要 MT5 工作进程；回放请给 backtest_toggle=True",
    ),
    "a replay is running on this account: wait for its end, or use another account": (
        "此帳戶正在重播：請等待結束，或使用另一個帳戶",
        "此账户正在回放：请等待结束，或使用另一个账户",
    ),
    "a future's done-callback cannot wait for an order: use submit() there, or another thread": (
        "future 的完成回呼中不能等待訂單：請在該處使用 submit()，或改用另一個執行緒",
        "future 的完成回调中不能等待订单：请在该处使用 submit()，或改用另一个线程",
    ),
    "this client was made in another process: make a new one after a fork": (
        "此用戶端是在另一個行程中建立的：fork 之後請建立新的用戶端",
        "此客户端是在另一个进程中创建的：fork 之后请创建新的客户端",
    ),
    "client_id={} is in use by another client that is connected now": (
        "client_id={} 正由另一個已連線的用戶端使用",
        "client_id={} 正由另一个已连接的客户端使用",
    ),
    "The client is closed.": ("用戶端已關閉。", "客户端已关闭。"),
    "cannot connect to RabbitMQ at {} within {} s: {}": (
        "{1} 秒內無法連上 {0} 的 RabbitMQ：{2}",
        "{1} 秒内无法连上 {0} 的 RabbitMQ：{2}",
    ),
    "no simulator worker with a free slot is connected to {}; start one: mas sim-worker": (
        "沒有可用的模擬器工作程式連上 {}；請啟動：mas sim-worker",
        "没有可用的模拟器工作进程连上 {}；请启动：mas sim-worker",
    ),
    "nobody takes commands for {}": ("沒有工作程式接收{}的指令", "没有工作进程接收{}的指令"),
    "RabbitMQ at {} refused it: the queue of {} is full": (
        "{} 的 RabbitMQ 拒絕了它：{}的佇列已滿",
        "{} 的 RabbitMQ 拒绝了它：{}的队列已满",
    ),
    "there is no connection to RabbitMQ at {}": ("未連上 {} 的 RabbitMQ", "未连上 {} 的 RabbitMQ"),
    "RabbitMQ at {} accepts nothing at the moment (memory or disk alarm)": (
        "{} 的 RabbitMQ 目前不接收任何訊息（記憶體或磁碟警報）",
        "{} 的 RabbitMQ 目前不接收任何消息（内存或磁盘告警）",
    ),
    "it is too large to send": ("內容過大，無法送出", "内容过大，无法发送"),
    "the connection to RabbitMQ at {} broke before it was confirmed": (
        "確認之前與 {} 的 RabbitMQ 的連線中斷",
        "确认之前与 {} 的 RabbitMQ 的连接中断",
    ),
    # ---- reasons of the trade server ---------------------------------------------------------------------------------
    "volume {} is not {}": ("交易量 {} 不是 {}", "交易量 {} 不是 {}"),
    "{} to {} in steps of {}": ("{} 到 {}，每級 {}", "{} 到 {}，步长 {}"),
    "volume {} exceeds the {} of position {}": ("交易量 {0} 超過部位 {2} 的 {1}", "交易量 {0} 超过持仓 {2} 的 {1}"),
    "more than {} lots of {} in one direction": ("{1} 單一方向超過 {0} 手", "{1} 单一方向超过 {0} 手"),
    "{} pending orders rest already": ("已有 {} 筆掛單", "已有 {} 笔挂单"),
    "{} {} are needed, there are {}": ("需要 {0} {1}，可用 {2}", "需要 {0} {1}，可用 {2}"),
    "{} {} is not at least {} points {} {}": ("{0} {1} 未{3} {4} 至少 {2} 點", "{0} {1} 未{3} {4} 至少 {2} 点"),
    "price {} is not a price of {}": ("價格 {} 不是 {} 的有效價格", "价格 {} 不是 {} 的有效价格"),
    "price {} is on the wrong side of {}": ("價格 {} 位於 {} 錯誤的一側", "价格 {} 位于 {} 错误的一侧"),
    "price {} is nearer than {} points to {}": ("價格 {0} 距 {2} 不足 {1} 點", "价格 {0} 距 {2} 不足 {1} 点"),
    "order {} is within {} points of the market": ("訂單 {} 距市價 {} 點以內", "订单 {} 距市价 {} 点以内"),
    "position {} is within {} points of its SL or TP": (
        "部位 {} 距其停損或停利 {} 點以內",
        "持仓 {} 距其止损或止盈 {} 点以内",
    ),
    "position {} is not open": ("部位 {} 未開倉", "持仓 {} 未开仓"),
    "order {} does not rest in the book": ("訂單 {} 不在掛單中", "订单 {} 不在挂单中"),
    "order {} has just ended": ("訂單 {} 剛剛結束", "订单 {} 刚刚结束"),
    "symbol {} is not known here": ("未知的商品 {}", "未知的品种 {}"),
    "trading {} is disabled": ("{} 的交易已停用", "{} 的交易已被禁止"),
    "positions in {} can only be closed": ("{} 只能平倉", "{} 只能平仓"),
    "{} can only be bought": ("{} 只能買入", "{} 只能买入"),
    "{} can only be sold": ("{} 只能賣出", "{} 只能卖出"),
    "{} is not traded now: {}": ("{} 目前不交易：{}", "{} 目前不交易：{}"),
    "{} has not been quoted yet": ("{} 尚無報價", "{} 尚无报价"),
    "{} does not allow filling mode {} (filling_mode {})": (
        "{0} 不允許成交方式 {1}（filling_mode {2}）",
        "{0} 不允许成交方式 {1}（filling_mode {2}）",
    ),
    "{} does not allow filling {}, so {} was used": (
        "{0} 不允許成交方式 {1}，已改用 {2}",
        "{0} 不允许成交方式 {1}，已改用 {2}",
    ),
    "{} does not take such orders (order_mode {})": (
        "{} 不接受此類訂單（order_mode {}）",
        "{} 不接受此类订单（order_mode {}）",
    ),
    "{} does not allow type_time {}": ("{} 不允許 type_time {}", "{} 不允许 type_time {}"),
    "expiration {} is not after the server's time {}": (
        "到期時間 {} 不晚於伺服器時間 {}",
        "到期时间 {} 不晚于服务器时间 {}",
    ),
    "trading is disabled on this account": ("此帳戶已停用交易", "此账户已禁止交易"),
    "trading by programs is disabled on this account": ("此帳戶已停用程式交易", "此账户已禁止程序交易"),
    "the position has these stop levels already": ("部位已是這些停損停利", "持仓已是这些止损止盈"),
    "the order is like this already": ("訂單已是如此", "订单已是如此"),
    "only opposite positions of one symbol close by each other": (
        "只有同一商品的反向部位可以互相平倉",
        "只有同一品种的反向持仓可以互相平仓",
    ),
    "a netting account has no two positions to close by each other": (
        "淨額帳戶沒有可互相平倉的兩個部位",
        "净额账户没有可互相平仓的两个持仓",
    ),
    "position {} closes with the opposite type, in its own symbol": (
        "部位 {} 須以反向類型在其商品中平倉",
        "持仓 {} 须以反向类型在其品种中平仓",
    ),
    "{} has no {} of {} for all of {} to {} UTC (it has {}). Fill it with: mas data import FILE --symbol {}"
    " | or with made-up prices: mas data synth {} {}{}": (
        "{0} 沒有 {2} 從 {3} 到 {4}（UTC）的完整{1}（現有：{5}）。請補上：mas data import FILE --symbol {6}"
        "，或以虛構價格補上：mas data synth {7} {8}{9}",
        "{0} 没有 {2} 从 {3} 到 {4}（UTC）的完整{1}（现有：{5}）。请补上：mas data import FILE --symbol {6}"
        "，或以虚构价格补上：mas data synth {7} {8}{9}",
    ),
    "quotes": ("報價", "报价"),
    "ticks": ("逐筆報價", "逐笔报价"),
    "none of this symbol": ("無此商品的資料", "无此品种的数据"),
    "a symbol of the simulator; get_symbols() lists them": (
        "模擬器的商品；get_symbols() 會列出",
        "模拟器的品种；get_symbols() 会列出",
    ),
    "the start of a range in which the market was open": ("市場開市期間的起點", "市场开市期间的起点"),
}
