"""An S3 store for the tests of uploads: moto's, which checks the signature of each request with botocore's own code.

Prints one line of JSON, {"port", "access_key", "secret_key"}, once it serves. Each line of standard input then names an
object of the bucket, percent-encoded as in an address; the answer is a line with its bytes in hex, or with "none" when
there is no such object. Ends with its standard input.
"""

import json
import os
import sys
import urllib.parse

# What is asked before it serves: a bucket, a user, its key, its policy. All later requests must be signed.
os.environ["INITIAL_NO_AUTH_ACTION_COUNT"] = "4"

import boto3
import botocore.config
import botocore.exceptions
from moto.moto_server.threaded_moto_server import ThreadedMotoServer

BUCKET, REGION, USER = "bucket", "cn-north-1", "box"

server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
_, port = server.get_host_and_port()
endpoint = f"http://127.0.0.1:{port}"


def client(service, key="setup", secret="setup"):
    style = botocore.config.Config(s3={"addressing_style": "path"}, proxies={})
    return boto3.client(
        service, REGION, endpoint_url=endpoint, aws_access_key_id=key, aws_secret_access_key=secret, config=style
    )


client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
iam = client("iam")
iam.create_user(UserName=USER)
keys = iam.create_access_key(UserName=USER)["AccessKey"]
allowed = {"Effect": "Allow", "Action": ["s3:PutObject", "s3:GetObject", "s3:ListBucket"], "Resource": f"arn:*:s3:::{BUCKET}*"}
policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
iam.put_user_policy(UserName=USER, PolicyName="pictures", PolicyDocument=policy)

own = client("s3", keys["AccessKeyId"], keys["SecretAccessKey"])
print(
    json.dumps({"port": port, "access_key": keys["AccessKeyId"], "secret_key": keys["SecretAccessKey"]}), flush=True
)
for line in sys.stdin:
    try:
        found = own.get_object(Bucket=BUCKET, Key=urllib.parse.unquote(line.strip()))
        print(found["Body"].read().hex(), flush=True)
    except botocore.exceptions.ClientError as error:
        print("none" if error.response["Error"]["Code"] == "NoSuchKey" else error, flush=True)
server.stop()
