"""RabbitMQ 3.10 to 4.x as a `mas_router.transport.Transport`. The only package that imports pika."""

from mas_router.amqp.transport import AmqpTransport

__all__ = ["AmqpTransport"]
